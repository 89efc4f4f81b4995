import { Button, Group } from '@mantine/core';

import type { DraftInUse } from './drafts';
import { UndoButtons } from './UndoButtons';

interface Props {
  draft: Pick<DraftInUse<object>, 'undo' | 'redo' | 'changed' | 'reset'>;
  /** What is saved, such as a version; no button without something to save. */
  label: string | null;
  saving: boolean;
  save: () => Promise<void>;
}

/** Undo, redo, reset and save of a draft. */
export function SaveButtons({ draft, label, saving, save }: Props) {
  return (
    <Group gap={4}>
      <UndoButtons draft={draft} />
      {label !== null && (
        <Button size="xs" variant="default" loading={saving} onClick={() => void save()}>
          {label}
        </Button>
      )}
    </Group>
  );
}
