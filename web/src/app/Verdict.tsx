import { Group, Text } from '@mantine/core';

import type { components } from '../api/schema';
import { IconAlertTriangle, IconCircleCheck, IconCircleX } from './icons';
import type { Tone } from './palettes';
import classes from './Verdict.module.css';

export type Colour = components['schemas']['ResultSummary']['verdict'];

/** The verdict in a word, an icon and a tone: colour alone never says it. */
export const VERDICTS: Record<Colour, { word: string; tone: Tone; icon: typeof IconCircleX }> = {
  green: { word: 'Evidence holds', tone: 'positive', icon: IconCircleCheck },
  amber: { word: 'Not proven', tone: 'caution', icon: IconAlertTriangle },
  red: { word: 'Explained by luck', tone: 'negative', icon: IconCircleX },
  infeasible: { word: 'No strategy within the limits', tone: 'negative', icon: IconCircleX },
};

export function Verdict({ colour, size = 'sm' }: { colour: Colour; size?: 'sm' | 'lg' }) {
  const { word, tone, icon: Icon } = VERDICTS[colour];
  return (
    <Group gap={6} wrap="nowrap" className={classes.verdict} data-tone={tone}>
      <Icon size={size === 'lg' ? 24 : 16} aria-hidden />
      <Text span fw={600} size={size}>
        {word}
      </Text>
    </Group>
  );
}
