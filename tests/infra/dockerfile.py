"""The steps of a Dockerfile, read for tests and executed by `chroot` on a given root file system.

Only the instructions and forms that the product's file uses. Nothing is cached and no layer is made: a stage is a copy
of the folder of the stage that it starts from.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BUILDER = {"TARGETARCH": "amd64"}
"""What the builder sets for the platform linux/amd64."""
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Stage:
    name: str
    origin: str
    steps: list[tuple[str, str]]
    """Instructions with their arguments, without those of files and commands."""

    def arguments(self, instruction: str) -> list[str]:
        return [argument for name, argument in self.steps if name == instruction]


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `$NAME`, `${NAME}` and `${NAME:-default}`, whose default may be a variable."""

    def value(match: re.Match[str]) -> str:
        return values.get(match[1] or match[3], "") or expand(match[2] or "", values)

    return VARIABLE.sub(value, text)


def stages(text: str, build_arguments: Mapping[str, str] = {}) -> list[Stage]:
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    pairs = [(name, argument.strip()) for name, _, argument in (line.partition(" ") for line in lines if line)]
    values, found = dict(BUILDER), list[Stage]()
    for name, argument in pairs:
        if name == "FROM":
            origin, _, label = expand(argument, values).partition(" AS ")
            found.append(Stage(label or str(len(found)), origin, []))
        elif not found:
            assert name == "ARG", name
            key, _, default = argument.partition("=")
            values[key] = build_arguments.get(key, default)
        else:
            found[-1].steps.append((name, argument))
    return found


@dataclass
class Image:
    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    folder: str = "/"

    def command(
        self,
        *line: str,
        environment: Mapping[str, str] = {},
        folders: Mapping[Path, str] = {},
        read_only: bool = False,
    ) -> list[str]:
        """A command line that executes `line` in the image, in namespaces of its own for mounts and processes.

        `folders` of this machine are seen at these places; `read_only` is all but `/tmp`, which is empty.
        """
        enter = f"cd {shlex.quote(str(self.root))}"
        mounts = [enter, "mount --bind . .", enter, "mount --rbind /dev dev", "mount -t proc proc proc"]
        for each, place in folders.items():
            mounts += [f"mkdir -p .{place}", f"mount --bind {each} .{place}"]
        if read_only:
            mounts += ["mount -t tmpfs -o mode=1777 tmpfs tmp", "mount -o remount,bind,ro ."]
        values = [f"{name}={value}" for name, value in (self.environment | dict(environment)).items()]
        inside = shlex.join(["env", "-i", f"--chdir={self.folder}", *values, *line])
        script = " && ".join([*mounts, f"exec chroot --userspec={self.user} . {inside}"])
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]


def build(
    text: str,
    base: Path,
    context: Path,
    work: Path,
    *,
    environment: Mapping[str, str] = {},
    folders: Mapping[Path, str] = {},
    build_arguments: Mapping[str, str] = {},
) -> dict[str, Image]:
    """The last stage and those that it needs, by name; steps see these variables and `folders` of this machine."""
    images: dict[str, Image] = {}
    for stage in needed(stages(text, build_arguments)):
        parent = images.get(stage.origin) or Image(base, {"PATH": PATH})
        image = Image(work / f"stage-{stage.name}", dict(parent.environment), parent.user, parent.folder)
        copy(parent.root, image.root)
        arguments: dict[str, str] = {}
        for name, argument in stage.steps:
            values = image.environment | arguments
            if name == "ARG":
                key, _, default = argument.partition("=")
                arguments[key] = build_arguments.get(key, default)
            elif name == "ENV":
                pairs = (pair.partition("=") for pair in shlex.split(expand(argument, values)))
                image.environment |= {key: value for key, _, value in pairs}
            elif name == "COPY":
                copy_files(argument, image, images, context)
            elif name == "RUN":
                variables = arguments | dict(environment)
                subprocess.run(image.command("sh", "-c", argument, environment=variables, folders=folders), check=True)
            elif name == "USER":
                image.user = argument
            elif name == "WORKDIR":
                image.folder = argument
        images[stage.name] = image
    return images


def needed(all_stages: Sequence[Stage]) -> list[Stage]:
    names = {all_stages[-1].name}
    for stage in reversed(all_stages):
        if stage.name in names:
            names |= {stage.origin, *re.findall(r"--from=(\S+)", " ".join(stage.arguments("COPY")))}
    return [stage for stage in all_stages if stage.name in names]


def copy_files(argument: str, image: Image, images: Mapping[str, Image], context: Path) -> None:
    """COPY, also from another stage; a folder is copied by its content."""
    source, *rest = shlex.split(argument)
    folder = context
    if source.startswith("--from="):
        folder = images[source.removeprefix("--from=")].root
    else:
        rest = [source, *rest]
    *sources, target = rest
    place = image.root / target.lstrip("/")
    place.mkdir(parents=True, exist_ok=True)
    for each in sources:
        path = folder / each.lstrip("/")
        copy(path, place if path.is_dir() else place / path.name)


def copy(source: Path, target: Path) -> None:
    """Copy a file, or the content of a folder into an existing or a new one, with times and owners."""
    name = str(source)
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        name += "/."
    subprocess.run(["cp", "-a", "--reflink=auto", name, str(target)], check=True)


def context_of(root: Path, target: Path) -> Path:
    """The files that `.dockerignore` lets through."""
    let_through = [line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in let_through:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if (root / name).is_dir():
            shutil.copytree(root / name, path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(root / name, path)
    return target
