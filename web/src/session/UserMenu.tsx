import { ActionIcon, Group, Menu, Text, useMantineColorScheme } from '@mantine/core';
import { useDispatch } from 'react-redux';
import { useNavigate } from 'react-router';

import { service } from '../api/service';
import {
  useMeQuery,
  usePreferencesQuery,
  useSavePreferencesMutation,
  useSignOutMutation,
  type Preferences,
} from '../api/session';
import {
  IconAdjustments,
  IconDeviceDesktop,
  IconKeyboard,
  IconLogout,
  IconMoon,
  IconSun,
  IconUserCircle,
} from '../app/icons';
import { plural, title } from '../numbers/format';
import { SCHEMES } from './preferences';

const THEMES = [
  { theme: 'light', label: 'Light theme', icon: IconSun },
  { theme: 'dark', label: 'Dark theme', icon: IconMoon },
  { theme: 'system', label: 'Theme of the system', icon: IconDeviceDesktop },
] as const satisfies readonly { theme: Preferences['theme']; label: string; icon: typeof IconSun }[];

/** Who works here, the theme, the way to the preferences and out. */
export function UserMenu({ openHelp }: { openHelp: () => void }) {
  const me = useMeQuery();
  const stored = usePreferencesQuery();
  const [save] = useSavePreferencesMutation();
  const [signOut] = useSignOutMutation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const dispatch = useDispatch();
  const navigate = useNavigate();
  const chosen = THEMES.find(({ theme }) => SCHEMES[theme] === colorScheme)?.theme ?? 'system';

  const choose = (theme: Preferences['theme']) => {
    setColorScheme(SCHEMES[theme]);
    if (stored.data !== undefined) {
      const { preferences, version } = stored.data;
      void save({ preferences: { ...preferences, theme }, version });
    }
  };
  const leave = async () => {
    await signOut();
    dispatch(service.util.resetApiState());
  };

  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="You and the settings">
          <IconUserCircle size={20} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {me.data !== undefined && (
          <Menu.Item onClick={() => void navigate('/preferences')}>
            <Text size="sm" fw={600}>
              {me.data.name}
            </Text>
            <Text size="xs" c="dimmed">
              {me.data.via === 'local'
                ? 'The user of this machine'
                : `${me.data.roles.map((role) => title(role.replaceAll('-', '_'))).join(', ')}, ${plural(me.data.permissions.length, 'permission')}`}
            </Text>
          </Menu.Item>
        )}
        <Menu.RadioGroup
          value={chosen}
          onChange={(value) => {
            const row = THEMES.find(({ theme }) => theme === value);
            if (row !== undefined) choose(row.theme);
          }}
        >
          {THEMES.map(({ theme, label, icon: Icon }) => (
            <Menu.RadioItem key={theme} value={theme}>
              <Group gap="xs">
                <Icon size={16} aria-hidden />
                {label}
              </Group>
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Divider />
        <Menu.Item
          leftSection={<IconAdjustments size={16} aria-hidden />}
          onClick={() => void navigate('/preferences')}
        >
          Preferences
        </Menu.Item>
        <Menu.Item leftSection={<IconKeyboard size={16} aria-hidden />} onClick={openHelp}>
          Keyboard shortcuts
        </Menu.Item>
        {me.data !== undefined && me.data.via !== 'local' && (
          <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void leave()}>
            Sign out
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
