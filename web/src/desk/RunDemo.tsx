import { Button } from '@mantine/core';
import { randomId } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconPlayerPlay } from '../app/icons';
import { useState } from 'react';

import { useSubmitMutation } from '../api/jobs';
import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';

/** The search of `make demo`. */
const DEMO = { name: 'Demo: S&P 500 at 10% volatility', trials: 100, stopping: 'budget' } as const;

export function RunDemo() {
  const [submit, { isLoading }] = useSubmitMutation();
  const [key, setKey] = useState(randomId);
  const start = async () => {
    const answer = await submit({ request: DEMO, key });
    if (answer.error !== undefined) {
      const { title, text } = problemOf(answer.error as Failure);
      notifications.show({ title, message: text, color: 'red' });
      return;
    }
    setKey(randomId());
    notifications.show({ title: 'The demo has started', message: 'It takes about ten seconds.' });
  };
  return (
    <Button
      leftSection={<IconPlayerPlay size={16} aria-hidden />}
      loading={isLoading}
      onClick={() => void start()}
    >
      Run the demo
    </Button>
  );
}
