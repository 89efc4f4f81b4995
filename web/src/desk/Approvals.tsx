import { Anchor, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import { Link } from 'react-router';

import { useDecideMutation, type Question, type Ruling } from '../api/approvals';
import type { Desk } from '../api/desk';
import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import { Panel } from '../app/Page';
import { ago, dollars, duration, number, plural } from '../numbers/format';
import classes from './EndedRuns.module.css';

interface Props {
  questions: Desk['approvals'];
  waiting: Desk['waiting'];
}

/** What waits for a decision: of this user first, then own runs that another person decides. */
export function Approvals({ questions, waiting }: Props) {
  const elsewhere = waiting.filter(({ waiting_for: decider }) => decider === 'another_person');
  if (questions.length === 0 && elsewhere.length === 0) return null;
  return (
    <Panel title="Waiting for a decision">
      <ul className={classes.list}>
        {questions.map((question) => (
          <Decision key={question.id} question={question} />
        ))}
        {elsewhere.map(({ id, name }) => (
          <li key={id} className={classes.run}>
            <Anchor component={Link} to={`/runs/${id}`} fw={600}>
              {name}
            </Anchor>
            <Text size="sm" c="dimmed">
              Waits for another person
            </Text>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

type Step = 'open' | 'approving' | 'rejecting';

/** One question. What costs money takes a second press, and a rejection its reason. */
function Decision({ question }: { question: Question }) {
  const [decide, { isLoading }] = useDecideMutation();
  const [step, setStep] = useState<Step>('open');
  const [reason, setReason] = useState('');
  const { name, owner, asked } = question;
  const rule = async (ruling: Ruling) => {
    const answer = await decide({ id: question.id, ruling });
    if (answer.error === undefined) {
      notifications.show({ message: `${name}: ${ruling.verdict}` });
      return;
    }
    const { title, text } = problemOf(answer.error as Failure);
    notifications.show({ title, message: text });
  };
  return (
    <li className={classes.run}>
      <Group justify="space-between" gap="sm">
        <div>
          <Text fw={600}>{name}</Text>
          <Text size="sm">{wording(question)}</Text>
          <Text size="sm" c="dimmed">
            asked by {owner}, {ago(asked.at)}
          </Text>
        </div>
        {step === 'open' && (
          <Group gap="xs">
            <Button size="sm" onClick={() => setStep('approving')}>
              Approve
            </Button>
            <Button size="sm" variant="default" onClick={() => setStep('rejecting')}>
              Reject
            </Button>
          </Group>
        )}
        {step === 'approving' && (
          <Group gap="xs">
            <Button size="sm" loading={isLoading} onClick={() => void rule({ verdict: 'approved' })}>
              Yes, approve it
            </Button>
            <Button size="sm" variant="default" onClick={() => setStep('open')}>
              Back
            </Button>
          </Group>
        )}
        {step === 'rejecting' && (
          <Stack gap="xs">
            <TextInput
              label="Reason"
              maxLength={500}
              value={reason}
              onChange={(event) => setReason(event.currentTarget.value)}
            />
            <Group gap="xs">
              <Button
                size="sm"
                loading={isLoading}
                disabled={reason.trim() === ''}
                onClick={() => void rule({ verdict: 'rejected', reason: reason.trim() })}
              >
                Reject it
              </Button>
              <Button size="sm" variant="default" onClick={() => setStep('open')}>
                Back
              </Button>
            </Group>
          </Stack>
        )}
      </Group>
    </li>
  );
}

function wording({ asked: { subject, estimate } }: Question): string {
  if (subject === 'holdout')
    return 'Opens the locked holdout. It can be opened once, and every later report says so.';
  if (estimate === null || estimate === undefined) return 'Starts a search above a threshold.';
  const { evaluations, seconds, dollars: price, instances } = estimate;
  const parts = [
    plural(evaluations, 'evaluation'),
    `about ${duration(seconds)}`,
    price > 0 ? dollars(price) : null,
    instances > 0 ? `${number(instances)} instances` : null,
  ];
  return `Starts a search of ${parts.filter((part) => part !== null).join(', ')}.`;
}
