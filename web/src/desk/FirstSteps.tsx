import { Anchor, Button, Group, Text, Title, VisuallyHidden } from '@mantine/core';
import { Link } from 'react-router';

import type { Desk } from '../api/desk';
import { IconCheck } from '../app/icons';
import classes from './FirstSteps.module.css';
import { DEMO, RunDemo } from './RunDemo';

const STEPS = [
  ['Run the demo', 'A search on thirty years of the S&P 500, with a target volatility of 10%.'],
  ['Read its verdict', 'Whether the best of all candidates beats a constant weight, or luck explains it.'],
  ['Ask about your own rule', 'The same test, for the rule that you follow today.'],
] as const;
const TITLES = ['A first answer in under a minute', 'The demo is searching', 'Your first answer is here'];
const OWN_RULE = '/strategies/new';

/** Whether nothing but the demo was searched so far. */
export function isBeginning({ is_new: isNew, active, ended }: Desk): boolean {
  return isNew || [...active, ...ended].every(({ name }) => name === DEMO.name);
}

/** What a new user does first: numbered, with one button, which changes with what is done. */
export function FirstSteps({ desk: { active, ended } }: { desk: Desk }) {
  const answer = ended.find(({ state }) => state === 'completed');
  const stage = answer !== undefined ? 2 : active.length > 0 ? 1 : 0;
  return (
    <section className={classes.steps} aria-labelledby="first-steps">
      <Title order={2} id="first-steps">
        {TITLES[stage]}
      </Title>
      <ol className={classes.list}>
        {STEPS.map(([name, about], index) => {
          const done = index === 0 && answer !== undefined;
          return (
            <li key={name} className={classes.step}>
              <Text span className={classes.number} data-done={done} aria-hidden>
                {done ? <IconCheck size={16} aria-hidden /> : index + 1}
              </Text>
              <div>
                <Text fw={600}>
                  {name}
                  {done && <VisuallyHidden>, done</VisuallyHidden>}
                </Text>
                <Text size="sm" c="dimmed">
                  {about}
                </Text>
              </div>
            </li>
          );
        })}
      </ol>
      <Group>
        {answer === undefined ? (
          active.length === 0 && <RunDemo size="md" />
        ) : (
          <Button component={Link} to={`/runs/${answer.id}/results`} size="md">
            Read its verdict
          </Button>
        )}
        {answer === undefined ? (
          <Anchor component={Link} to={OWN_RULE}>
            Begin with your own rule
          </Anchor>
        ) : (
          <Button component={Link} to={OWN_RULE} size="md" variant="default">
            Ask about your own rule
          </Button>
        )}
      </Group>
    </section>
  );
}
