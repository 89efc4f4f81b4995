import { useLocalStorage } from '@mantine/hooks';
import { useEffect, useRef } from 'react';
import { useNavigate } from 'react-router';

import { SCREENS } from './screens';

const CHORD_MS = 1500;

export interface Shortcuts {
  enabled: boolean;
  setEnabled: (enabled: boolean) => void;
}

/** `g` with a letter opens a screen, `?` the list. The user may switch single letters off. */
export function useShortcuts(openHelp: () => void): Shortcuts {
  const [enabled, setEnabled] = useLocalStorage({ key: 'stratigos-shortcuts', defaultValue: true });
  const navigate = useNavigate();
  const begun = useRef(0);
  useEffect(() => {
    if (!enabled) return;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const chord = event.timeStamp - begun.current < CHORD_MS;
      begun.current = event.key === 'g' ? event.timeStamp : 0;
      if (event.key === '?') openHelp();
      const screen = chord ? SCREENS.find(({ letter }) => letter === event.key) : undefined;
      if (screen !== undefined) void navigate(screen.path);
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, [enabled, navigate, openHelp]);
  return { enabled, setEnabled };
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      target.closest('input, textarea, select, [role=dialog], [role=listbox]') !== null)
  );
}
