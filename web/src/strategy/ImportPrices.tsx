import { Alert, Button, FileInput, Group, Modal, Select, Stack, Switch, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { type FormEvent, useState } from 'react';

import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import { IconAlertTriangle } from '../app/icons';
import { date } from '../numbers/format';
import { useImportPricesMutation } from './requests';

interface Props {
  close: () => void;
  /** Takes the name of the data set. */
  imported: (dataset: string) => void;
}

const NAME = /^[a-z][a-z0-9_-]{0,39}$/;
const FILES = '.csv,.xlsx,.parquet,.json';
const ANY_DAYS = 'none';
const CALENDARS = [
  { value: 'XNYS', label: 'Sessions of the New York exchange' },
  { value: 'XLON', label: 'Sessions of the London exchange' },
  { value: 'XETR', label: 'Sessions of Xetra' },
  { value: ANY_DAYS, label: 'Whatever days the file has' },
];

/** Stores a file of prices under a name; what is wrong with it is said, and nothing of it is stored. */
export function ImportPrices({ close, imported }: Props) {
  const [file, setFile] = useState<File | null>(null);
  const [name, setName] = useState('');
  const [totalReturn, setTotalReturn] = useState(true);
  const [calendar, setCalendar] = useState('XNYS');
  const [store, { isLoading, error, reset }] = useImportPricesMutation();
  const failure = error === undefined ? null : problemOf(error as Failure);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (file === null) return;
    const { data } = await store({ file, dataset: name, total_return: totalReturn, calendar });
    if (data === undefined) return;
    const { first, last, assets } = data.version;
    notifications.show({
      message: `${name}: ${assets.join(', ')} from ${date(first)} to ${date(last)} ${data.unchanged ? 'was imported before' : 'is imported'}.`,
    });
    imported(name);
    close();
  };
  return (
    <Modal opened onClose={close} title="Use your own prices" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form onSubmit={(event) => void send(event)}>
        <Stack gap="sm">
          <FileInput
            label="File"
            description="A column date and a column of daily closing prices for each asset, as in a spreadsheet; about nine years or more. CSV, Excel, Parquet or JSON"
            accept={FILES}
            data-autofocus
            value={file}
            onChange={(chosen) => {
              reset();
              setFile(chosen);
              if (chosen !== null && name === '') setName(nameOf(chosen.name));
            }}
          />
          <TextInput
            label="Name"
            description="Small letters, digits, - and _; a name that you have used gets a new version"
            value={name}
            error={
              name === '' || NAME.test(name)
                ? undefined
                : 'A small letter, then small letters, digits, - and _'
            }
            onChange={(event) => {
              reset();
              setName(event.currentTarget.value);
            }}
          />
          <Select
            label="Days"
            description="Missing prices are found by them. A fund or an index of another market has days of its own"
            data={CALENDARS}
            allowDeselect={false}
            value={calendar}
            onChange={(value) => setCalendar(value ?? calendar)}
          />
          <Switch
            label="The prices include dividends"
            checked={totalReturn}
            onChange={(event) => setTotalReturn(event.currentTarget.checked)}
          />
          {failure !== null && (
            <Alert role="alert" color="gray" icon={<IconAlertTriangle aria-hidden />} title={failure.title}>
              {failure.text}
              {calendar !== ANY_DAYS && failure.text.includes(calendar) && (
                <Button
                  variant="default"
                  size="compact-sm"
                  mt="xs"
                  display="block"
                  onClick={() => {
                    reset();
                    setCalendar(ANY_DAYS);
                  }}
                >
                  Take the days of the file
                </Button>
              )}
            </Alert>
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={isLoading} disabled={file === null || !NAME.test(name)}>
              Import
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** `My Fund.csv` is `my_fund`. */
function nameOf(file: string): string {
  return file
    .replace(/\.[^.]*$/, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '_')
    .replace(/^[^a-z]+/, '')
    .slice(0, 40);
}
