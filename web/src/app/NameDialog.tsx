import { Button, Group, Modal, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';

import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';

interface Props {
  /** `Copy Core` */
  title: string;
  label?: string;
  description?: string;
  initial: string;
  /** What the name has to look like. */
  pattern?: RegExp;
  submit: string;
  close: () => void;
  /** Returns why it failed. */
  act: (name: string) => Promise<unknown>;
}

/** Asks for the name of something new; a name that is taken stays in the field with the reason. */
export function NameDialog(props: Props) {
  const { title, label = 'Name', description, initial, pattern = /\S/, submit, close, act } = props;
  const [name, setName] = useState(initial);
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    const failure = await act(name.trim());
    setBusy(false);
    if (failure === undefined) close();
    else setError(problemOf(failure as Failure).text);
  };
  return (
    <Modal opened onClose={close} title={title} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form onSubmit={(event) => void send(event)}>
        <TextInput
          label={label}
          description={description}
          maxLength={64}
          data-autofocus
          value={name}
          error={error}
          onChange={(event) => {
            setName(event.currentTarget.value);
            setError(null);
          }}
        />
        <Group justify="flex-end" mt="md" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={busy} disabled={!pattern.test(name.trim())}>
            {submit}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
