import { Group, Text } from '@mantine/core';

import { dollars, number, plural, title } from '../numbers/format';
import type { AgentState, Steps, Team } from './agents';
import classes from './Run.module.css';

const STATES: Record<AgentState, string> = {
  waiting: 'Waiting',
  working: 'Working',
  answered: 'Done',
  abstained: 'No answer: the rule of the code decides',
};

interface Props {
  team: Team;
  steps: Steps;
  trials: string;
}

/** The graph of a run: two agents side by side, then the search that one plans, the judgement, and the explanation. */
export function AgentCards({ team, steps, trials }: Props) {
  return (
    <ol className={classes.graph} aria-label="Steps of the run">
      <li className={classes.column}>
        <Agent name="risk_manager" about="Limits and risk" work={team.risk_manager} />
        <Agent name="market_analyst" about="Market and scenarios" work={team.market_analyst} />
      </li>
      <li className={classes.column}>
        <Agent name="optimizer" about="Where to search" work={team.optimizer} />
        <Step name="Search" about={trials} state={steps.search} />
      </li>
      <li className={classes.column}>
        <Step name="Judgement" about="Benchmarks, tests for luck, verdict" state={steps.judgement} />
        <Agent name="explainer" about="What it means" work={team.explainer} />
      </li>
    </ol>
  );
}

function Agent({ name, about, work }: { name: keyof Team; about: string; work: Team[keyof Team] }) {
  const { state, rounds, tools, decision, tokens, dollars: price } = work;
  const costs = [
    tokens > 0 ? `${number(tokens)} tokens` : null,
    price !== null && price > 0 ? dollars(price) : null,
    tools.length > 0 ? plural(tools.length, 'tool call') : null,
    rounds > 1 ? `${number(rounds)} rounds` : null,
  ].filter((part) => part !== null);
  return (
    <Card name={title(name)} state={state}>
      <Text size="sm" lineClamp={2}>
        {decision ?? about}
      </Text>
      <Text size="xs" c="dimmed">
        {costs.length > 0 ? costs.join(' · ') : ' '}
      </Text>
    </Card>
  );
}

function Step({ name, about, state }: { name: string; about: string; state: AgentState }) {
  return (
    <Card name={name} state={state}>
      <Text size="sm">{about}</Text>
      <Text size="xs" c="dimmed">
        computed by code
      </Text>
    </Card>
  );
}

function Card({ name, state, children }: { name: string; state: AgentState; children: React.ReactNode }) {
  return (
    <div className={classes.card} data-state={state}>
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Text fw={600}>{name}</Text>
        <Text size="xs" className={classes.state}>
          {STATES[state]}
        </Text>
      </Group>
      {children}
    </div>
  );
}
