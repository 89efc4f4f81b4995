import { Group, Menu, useMantineColorScheme } from '@mantine/core';

import { IconDeviceDesktop, IconMoon, IconSun } from './icons';

const THEMES = [
  { scheme: 'light', label: 'Light theme', icon: IconSun },
  { scheme: 'dark', label: 'Dark theme', icon: IconMoon },
  { scheme: 'auto', label: 'Theme of the system', icon: IconDeviceDesktop },
] as const;

/** The themes, as items of a menu. */
export function ThemeItems() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Menu.RadioGroup
      value={colorScheme}
      onChange={(value) => {
        const theme = THEMES.find(({ scheme }) => scheme === value);
        if (theme !== undefined) setColorScheme(theme.scheme);
      }}
    >
      {THEMES.map(({ scheme, label, icon: Icon }) => (
        <Menu.RadioItem key={scheme} value={scheme}>
          <Group gap="xs">
            <Icon size={16} aria-hidden />
            {label}
          </Group>
        </Menu.RadioItem>
      ))}
    </Menu.RadioGroup>
  );
}
