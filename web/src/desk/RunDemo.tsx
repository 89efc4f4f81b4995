import { Button, type ButtonProps } from '@mantine/core';
import { randomId } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';

import { useSubmitMutation } from '../api/jobs';
import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import { IconPlayerPlay } from '../app/icons';

/** The search of `make demo`. */
export const DEMO = { name: 'Demo: S&P 500 at 10% volatility', trials: 100, stopping: 'budget' } as const;

export function RunDemo(style: Pick<ButtonProps, 'size' | 'variant'>) {
  const [submit, { isLoading }] = useSubmitMutation();
  const [key, setKey] = useState(randomId);
  const start = async () => {
    const answer = await submit({ request: DEMO, key });
    if (answer.error !== undefined) {
      const { title, text } = problemOf(answer.error as Failure);
      notifications.show({ title, message: text });
      return;
    }
    setKey(randomId());
    notifications.show({ title: 'The demo has started', message: 'Its progress is on the desk.' });
  };
  return (
    <Button
      {...style}
      leftSection={<IconPlayerPlay size={16} aria-hidden />}
      loading={isLoading}
      onClick={() => void start()}
    >
      Run the demo
    </Button>
  );
}
