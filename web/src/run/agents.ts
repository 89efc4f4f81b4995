/** What each agent has done so far, from the events of a run. */

import { plural, words } from '../numbers/format';
import type { EventOf, LiveEvent } from './feed';

export type AgentName = EventOf<'agent_started'>['agent'];
export type AgentState = 'waiting' | 'working' | 'answered' | 'abstained';

export interface AgentWork {
  state: AgentState;
  /** Number of its turns. */
  rounds: number;
  tools: readonly string[];
  /** Its last decision in words. */
  decision: string | null;
  tokens: number;
  dollars: number | null;
}

export type Team = Record<Exclude<AgentName, 'assistant'>, AgentWork>;

const IDLE: AgentWork = { state: 'waiting', rounds: 0, tools: [], decision: null, tokens: 0, dollars: 0 };

export const NO_WORK: Team = { risk_manager: IDLE, market_analyst: IDLE, optimizer: IDLE, explainer: IDLE };

/** The team after more events. */
export function workOf(team: Team, events: readonly LiveEvent[]): Team {
  return events.reduce(after, team);
}

function after(team: Team, { event, line }: LiveEvent): Team {
  const name = agentOf(event);
  if (name === null || name === 'assistant') return team;
  const work = team[name];
  const change = changeBy(event, line ?? '', work);
  return change === null ? team : { ...team, [name]: { ...work, ...change } };
}

function agentOf(event: LiveEvent['event']): AgentName | null {
  if (event.event === 'node_started') return isMember(event.node) ? event.node : null;
  if (event.event === 'decision_made') return event.decision.agent;
  return 'agent' in event ? event.agent : null;
}

function isMember(node: string): node is keyof Team {
  return node in NO_WORK;
}

function changeBy(event: LiveEvent['event'], line: string, work: AgentWork): Partial<AgentWork> | null {
  switch (event.event) {
    case 'node_started':
      return { state: 'working' };
    case 'agent_started':
      return { state: 'working', rounds: work.rounds + 1 };
    case 'agent_finished':
      return { state: event.outcome };
    case 'tool_called':
      return { tools: [...work.tools, event.tool] };
    case 'decision_made':
      return { decision: decisionWords(event.decision.answer) ?? words(line.replace(/^[^:]*: /, '')) };
    case 'model_answered':
      return {
        tokens: work.tokens + event.input_tokens + event.output_tokens,
        dollars:
          work.dollars === null || typeof event.dollars !== 'number' ? null : work.dollars + event.dollars,
      };
    default:
      return null;
  }
}

const FOCUS: Record<string, string> = {
  broad: 'Searches broadly',
  around_best: 'Searches around the best so far',
};
const SHARE: Record<string, string> = {
  half: 'with half of the trials',
  two_thirds: 'with two thirds of the trials',
  all: 'with all remaining trials',
};

/** What an agent decided, in a few words; null for an answer of an unknown form. */
function decisionWords(answer: Record<string, unknown> = {}): string | null {
  const { concerns, regime, trend, action, focus, share, claims, candidates } = answer;
  const count = (list: unknown) => (Array.isArray(list) ? list.length : 0);
  if (Array.isArray(concerns)) {
    const named = concerns.filter((each) => each !== 'none').map((each) => words(String(each)));
    return named.length === 0 ? 'No particular concern' : `Concern: ${named.join(', ')}`;
  }
  if (typeof regime === 'string' && typeof trend === 'string') return `Market ${regime}, trend ${trend}`;
  if (action === 'stop') return 'Ends the search';
  if (action === 'search') {
    const own = count(candidates) > 0 ? `, ${plural(count(candidates), 'candidate')} of its own` : '';
    return `${FOCUS[String(focus)] ?? 'Searches'} ${SHARE[String(share)] ?? ''}${own}`.trim();
  }
  return count(claims) > 0 ? `Explained in ${plural(count(claims), 'sentence')}` : null;
}

/** The steps that code takes. */
export interface Steps {
  search: AgentState;
  judgement: AgentState;
}

export const NO_STEPS: Steps = { search: 'waiting', judgement: 'waiting' };

/** The steps after more events. A search that an optimizer continues works again. */
export function stepsOf(steps: Steps, events: readonly LiveEvent[]): Steps {
  return {
    search: stateOf('search', events) ?? steps.search,
    judgement: stateOf('aggregate', events) ?? steps.judgement,
  };
}

/** The state that the last of these events gives a node; null if none changes it. */
function stateOf(node: string, events: readonly LiveEvent[]): AgentState | null {
  const last = events.findLast(
    ({ event }) => event.node === node && (event.event === 'node_started' || event.event === 'node_finished'),
  );
  if (last === undefined) return null;
  return last.event.event === 'node_finished' ? 'answered' : 'working';
}
