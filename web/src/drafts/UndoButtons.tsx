import { ActionIcon, Tooltip } from '@mantine/core';

import { IconArrowBackUp, IconArrowForwardUp } from '../app/icons';
import type { DraftInUse } from './drafts';

/** Steps of a draft back and forth. */
export function UndoButtons({ draft: { undo, redo } }: { draft: Pick<DraftInUse<object>, 'undo' | 'redo'> }) {
  const steps = [
    { label: 'Undo', act: undo, icon: <IconArrowBackUp size={16} aria-hidden /> },
    { label: 'Redo', act: redo, icon: <IconArrowForwardUp size={16} aria-hidden /> },
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
