import { Group, Kbd, Modal, Stack, Switch, Text } from '@mantine/core';

import { SCREENS } from './screens';
import type { Shortcuts } from './shortcuts';

interface Props extends Shortcuts {
  opened: boolean;
  close: () => void;
}

export function ShortcutHelp({ opened, close, enabled, setEnabled }: Props) {
  const rows: [string[], string][] = [
    [['Ctrl', 'K'], 'Search'],
    [['/'], 'Search'],
    [['?'], 'This list'],
    ...SCREENS.map(({ letter, label }): [string[], string] => [['g', letter], label]),
    [['←', '→'], 'In a chart: the points'],
    [['↑', '↓'], 'In a chart: the series'],
    [['t'], 'In a chart: its table'],
  ];
  return (
    <Modal
      opened={opened}
      onClose={close}
      title="Keyboard shortcuts"
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <Stack gap="xs">
        {rows.map(([keys, what]) => (
          <Group key={keys.join()} justify="space-between">
            <Text size="sm">{what}</Text>
            <Group gap={4}>
              {keys.map((key) => (
                <Kbd key={key}>{key}</Kbd>
              ))}
            </Group>
          </Group>
        ))}
        <Switch
          mt="sm"
          label="Single letters are shortcuts"
          checked={enabled}
          onChange={(event) => setEnabled(event.currentTarget.checked)}
        />
      </Stack>
    </Modal>
  );
}
