import { Button, Group, Text } from '@mantine/core';
import { randomId } from '@mantine/hooks';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { useSubmitMutation } from '../api/jobs';
import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import { IconRocket } from '../app/icons';
import { dollars, duration, plural } from '../numbers/format';
import classes from './Launch.module.css';
import type { LaunchEstimate, SearchRequest } from './requests';

interface Props {
  request: SearchRequest;
  estimate: LaunchEstimate | undefined;
  /** Why the service would refuse the search. */
  refusal: unknown;
  /** What is missing before a search can start. */
  blocked: string | null;
}

/** What the search takes, before it starts; a double press starts one. */
export function Launch({ request, estimate, refusal: refused, blocked }: Props) {
  const [submit, { isLoading, error }] = useSubmitMutation();
  const [attempt, setAttempt] = useState({ request, key: randomId() });
  const navigate = useNavigate();
  const start = async () => {
    const current = attempt.request === request ? attempt : { request, key: randomId() };
    setAttempt(current);
    const answer = await submit(current);
    if (answer.data !== undefined) void navigate(`/runs/${answer.data.id}`);
  };
  const refusal = error ?? (blocked === null ? refused : undefined);
  return (
    <div className={classes.bar}>
      <Group justify="space-between" gap="sm" wrap="nowrap">
        <Text size="sm" component="div" aria-live="polite">
          {blocked ?? (refusal === undefined ? wording(estimate) : problemOf(refusal as Failure).text)}
        </Text>
        <Button
          className={classes.button}
          leftSection={<IconRocket size={16} aria-hidden />}
          loading={isLoading}
          disabled={blocked !== null}
          onClick={() => void start()}
        >
          Search and judge
        </Button>
      </Group>
    </div>
  );
}

function wording(launch: LaunchEstimate | undefined): string {
  if (launch === undefined) return 'Estimating';
  const { evaluations, seconds, expected_time: expected, dollars: price } = launch.estimate;
  const time = expected
    ? `${duration(expected.low)} to ${duration(expected.high)}`
    : `about ${duration(seconds)}`;
  const parts = [plural(evaluations, 'evaluation'), unbroken(time), price ? dollars(price) : null];
  return (
    parts.filter((part) => part !== null).join(', ') +
    (launch.needs_approval ? '; it waits for an approval' : '')
  );
}

const unbroken = (text: string): string => text.replaceAll(' ', '\u00a0');
