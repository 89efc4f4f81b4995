import { ActionIcon, Tooltip } from '@mantine/core';

import { IconArrowBackUp, IconArrowForwardUp, IconRestore } from '../app/icons';
import type { DraftInUse } from './drafts';

type Steps = Pick<DraftInUse<object>, 'undo' | 'redo' | 'changed' | 'reset'>;

/** Steps of a draft back and forth, and all of them back. They keep their places, so that the form does not move. */
export function UndoButtons({ draft: { undo, redo, changed, reset } }: { draft: Steps }) {
  const steps = [
    { label: 'Undo', act: undo, icon: <IconArrowBackUp size={16} aria-hidden /> },
    { label: 'Redo', act: redo, icon: <IconArrowForwardUp size={16} aria-hidden /> },
    { label: 'Reset', act: changed ? reset : null, icon: <IconRestore size={16} aria-hidden /> },
  ];
  return steps.map(({ label, act, icon }) => (
    <Tooltip key={label} label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={label}
        disabled={act === null}
        onClick={() => act?.()}
      >
        {icon}
      </ActionIcon>
    </Tooltip>
  ));
}
