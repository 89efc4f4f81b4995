import { Button, Group, NumberInput, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { type ReactNode, useState } from 'react';

import { useDecideMutation, type Question, type Ruling } from '../api/approvals';
import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import { dollars, duration, number, plural } from '../numbers/format';

const MIN_TRIALS = 10;

type Step = 'open' | 'approving' | 'reducing' | 'rejecting';

interface Props {
  question: Pick<Question, 'id' | 'name' | 'asked'>;
  /** Whether another user has to decide it. */
  elsewhere?: boolean;
  /** What it is about, above the buttons. */
  children?: ReactNode;
}

/** A question and its answers. What costs money takes a second press, and a rejection its reason. */
export function Decision({ question: { id, name, asked }, elsewhere = false, children }: Props) {
  const most = asked.estimate?.trials ?? 0;
  const [step, setStep] = useState<Step>('open');
  const [trials, setTrials] = useState<number | string>(Math.max(MIN_TRIALS, Math.floor(most / 2)));
  const [reason, setReason] = useState('');
  const [decide, { isLoading }] = useDecideMutation();
  const rule = async (ruling: Ruling) => {
    const answer = await decide({ id, ruling });
    if (answer.error === undefined) {
      notifications.show({ message: `${name}: ${ruling.verdict}` });
      return;
    }
    const { title, text } = problemOf(answer.error as Failure);
    notifications.show({ title, message: text });
  };
  const back = (
    <Button size="sm" variant="default" onClick={() => setStep('open')}>
      Back
    </Button>
  );
  return (
    <Group justify="space-between" gap="sm">
      <div>
        {children}
        <Text size="sm">{wording(asked)}</Text>
        {elsewhere && <Text size="sm">Another person has to decide it.</Text>}
      </div>
      {!elsewhere && (
        <Group gap="xs" align="flex-end">
          {step === 'open' && (
            <>
              <Button size="sm" onClick={() => setStep('approving')}>
                Approve
              </Button>
              {asked.subject === 'launch' && most > MIN_TRIALS && (
                <Button size="sm" variant="default" onClick={() => setStep('reducing')}>
                  Approve fewer trials
                </Button>
              )}
              <Button size="sm" variant="default" onClick={() => setStep('rejecting')}>
                Reject
              </Button>
            </>
          )}
          {step === 'approving' && (
            <>
              <Button size="sm" loading={isLoading} onClick={() => void rule({ verdict: 'approved' })}>
                Yes, approve it
              </Button>
              {back}
            </>
          )}
          {step === 'reducing' && (
            <>
              <NumberInput
                size="sm"
                w={120}
                label="Trials"
                min={MIN_TRIALS}
                max={most}
                allowDecimal={false}
                value={trials}
                onChange={setTrials}
              />
              <Button
                size="sm"
                loading={isLoading}
                disabled={typeof trials !== 'number'}
                onClick={() => void rule({ verdict: 'edited', trials: Number(trials) })}
              >
                {typeof trials === 'number' ? `Approve ${number(trials)} trials` : 'Approve'}
              </Button>
              {back}
            </>
          )}
          {step === 'rejecting' && (
            <>
              <TextInput
                size="sm"
                label="Reason"
                maxLength={500}
                value={reason}
                onChange={(event) => setReason(event.currentTarget.value)}
              />
              <Button
                size="sm"
                loading={isLoading}
                disabled={reason.trim() === ''}
                onClick={() => void rule({ verdict: 'rejected', reason: reason.trim() })}
              >
                Reject it
              </Button>
              {back}
            </>
          )}
        </Group>
      )}
    </Group>
  );
}

function wording({ subject, estimate }: Question['asked']): string {
  if (subject === 'holdout')
    return 'Opens the locked holdout. It can be opened once, and every later report says so.';
  if (estimate === null || estimate === undefined) return 'Starts a search above a threshold.';
  const parts = [
    plural(estimate.evaluations, 'evaluation'),
    `about ${duration(estimate.seconds)}`,
    estimate.dollars > 0 ? dollars(estimate.dollars) : null,
    estimate.instances > 0 ? plural(estimate.instances, 'instance') : null,
  ];
  return `Starts a search of ${parts.filter((part) => part !== null).join(', ')}.`;
}
