import { Anchor, Text } from '@mantine/core';
import { Link } from 'react-router';

import type { Desk } from '../api/desk';
import { Decision } from '../app/Decision';
import { Panel } from '../app/Page';
import { ago } from '../numbers/format';
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
          <li key={question.id} className={classes.run}>
            <Decision question={question}>
              <Text fw={600}>{question.name}</Text>
              <Text size="sm" c="dimmed">
                asked by {question.owner}, {ago(question.asked.at)}
              </Text>
            </Decision>
          </li>
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
