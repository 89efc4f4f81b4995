import { Anchor, Group, Text, Title } from '@mantine/core';
import { Link } from 'react-router';

import classes from './FirstSteps.module.css';
import { RunDemo } from './RunDemo';

const STEPS = [
  ['Run the demo', 'A search on thirty years of the S&P 500, with a target volatility of 10%.'],
  ['Read its verdict', 'Whether the best of all candidates beats a constant weight, or luck explains it.'],
  ['Ask about your own rule', 'The same test, for the rule that you follow today.'],
] as const;

/** What a new user does first: numbered, with one button. */
export function FirstSteps() {
  return (
    <section className={classes.steps} aria-labelledby="first-steps">
      <Title order={2} id="first-steps">
        A first answer in ten seconds
      </Title>
      <ol className={classes.list}>
        {STEPS.map(([name, about], index) => (
          <li key={name} className={classes.step}>
            <Text span className={classes.number} aria-hidden>
              {index + 1}
            </Text>
            <div>
              <Text fw={600}>{name}</Text>
              <Text size="sm" c="dimmed">
                {about}
              </Text>
            </div>
          </li>
        ))}
      </ol>
      <Group>
        <RunDemo size="md" />
        <Anchor component={Link} to="/strategies/new">
          Begin with your own rule
        </Anchor>
      </Group>
    </section>
  );
}
