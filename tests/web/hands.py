"""What a person does on a page, by mouse or by keyboard alone."""

import re
from typing import Protocol

from playwright.sync_api import Page, expect

MOST_PRESSES = 250
_FOCUS = """() => {
    const active = document.activeElement;
    if (active === document.body) return { role: '', name: '', inSight: true }; // between the last stop and the first
    const box = active.getBoundingClientRect();
    const middle = [box.x + box.width / 2, box.y + box.height / 2];
    const top = document.elementFromPoint(...middle);
    const label = active.labels?.[0]?.textContent;
    return {
        role: active.getAttribute('role') ?? { A: 'link', BUTTON: 'button' }[active.tagName] ?? '',
        name: (active.ariaLabel ?? label ?? active.textContent ?? '').trim(),
        inSight: top !== null && (active.contains(top) || top.contains(active)),
    };
}"""
_SELECTED = "document.querySelector('[role=option][data-combobox-selected]')?.textContent ?? ''"


class Hand(Protocol):
    """Names are whole accessible names."""

    def press(self, page: Page, role: str, name: str) -> None: ...
    def fill(self, page: Page, label: str, text: str) -> None: ...
    def choose(self, page: Page, label: str, option: str) -> None: ...


class Mouse:
    def press(self, page: Page, role: str, name: str) -> None:
        page.get_by_role(role, name=name, exact=True).click()  # type: ignore[arg-type]

    def fill(self, page: Page, label: str, text: str) -> None:
        page.get_by_label(label, exact=True).fill(text)
        page.get_by_label(label, exact=True).blur()

    def choose(self, page: Page, label: str, option: str) -> None:
        field = page.get_by_role("combobox", name=label, exact=True)
        field.scroll_into_view_if_needed()
        box = field.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.get_by_role("option", name=option, exact=True).click()
        page.keyboard.press("Escape")


class Keyboard:
    """What has the focus is always in sight."""

    def press(self, page: Page, role: str, name: str) -> None:
        expect(page.get_by_role(role, name=name, exact=True)).to_be_enabled()  # type: ignore[arg-type]
        tab_to(
            page, r"\s*".join(map(re.escape, name.split())), role
        )  # the text of a link has no space between its lines
        page.keyboard.press("Enter")

    def fill(self, page: Page, label: str, text: str) -> None:
        tab_to(page, re.escape(label))
        page.keyboard.press("Control+a")
        page.keyboard.type(text)

    def choose(self, page: Page, label: str, option: str) -> None:
        tab_to(page, re.escape(label))
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("option", name=option, exact=True)).to_be_visible()
        for _ in range(MOST_PRESSES):
            if page.evaluate(_SELECTED) == option:
                page.keyboard.press("Enter")
                page.keyboard.press("Escape")
                return
            page.keyboard.press("ArrowDown")
        raise AssertionError(f"no arrow leads to {option}")


def tab_to(page: Page, name: str, role: str | None = None) -> None:
    """Press Tab until what has the name (and role) has the focus; whatever has it on the way is in sight."""
    for _ in range(MOST_PRESSES):
        page.keyboard.press("Tab")
        focus = page.evaluate(_FOCUS)
        assert focus["inSight"], focus
        if re.fullmatch(name, focus["name"]) and role in (None, focus["role"]):
            return
    raise AssertionError(f"no Tab leads to {name}")
