import { describe, expect, it } from 'vitest';

import { NO_STEPS, NO_WORK, stepsOf, workOf } from './agents';
import type { LiveEvent } from './feed';

const entry = (event: object, line = '') => ({ sequence: 1, event, line }) as unknown as LiveEvent;
const optimizer = (event: string, fields: object = {}) => entry({ event, agent: 'optimizer', ...fields });

describe('workOf', () => {
  it('adds up what an agent does over its rounds', () => {
    const team = workOf(NO_WORK, [
      optimizer('agent_started'),
      optimizer('tool_called', { tool: 'search_status' }),
      optimizer('model_answered', { input_tokens: 100, output_tokens: 20, dollars: 0.01 }),
      entry(
        { event: 'decision_made', decision: { agent: 'optimizer', answer: {} } },
        'Optimizer (planner): action search',
      ),
      optimizer('agent_finished', { outcome: 'answered' }),
      optimizer('agent_started'),
      optimizer('model_answered', { input_tokens: 50, output_tokens: 5, dollars: 0.02 }),
    ]);
    expect(team.optimizer).toEqual({
      state: 'working',
      rounds: 2,
      tools: ['search_status'],
      decision: 'action search',
      tokens: 175,
      dollars: 0.03,
    });
    expect(team.explainer).toEqual(NO_WORK.explainer);
  });

  it('lets an agent work from the start of its node, before it answers first', () => {
    const started = entry({ event: 'node_started', node: 'risk_manager' });
    const other = entry({ event: 'node_started', node: 'search' });
    expect(workOf(NO_WORK, [started, other])).toEqual({
      ...NO_WORK,
      risk_manager: { ...NO_WORK.risk_manager, state: 'working' },
    });
  });

  it.each([
    ['risk_manager', { concerns: ['short_history', 'turnover'] }, 'Concern: short history, turnover'],
    ['risk_manager', { concerns: ['none'] }, 'No particular concern'],
    ['market_analyst', { regime: 'calm', trend: 'flat', tilts: [] }, 'Market calm, trend flat'],
    [
      'optimizer',
      { action: 'search', focus: 'broad', share: 'half', candidates: [{}] },
      'Searches broadly with half of the trials, 1 candidate of its own',
    ],
    ['optimizer', { action: 'stop' }, 'Ends the search'],
    ['explainer', { claims: [{}, {}] }, 'Explained in 2 sentences'],
    ['explainer', {}, 'an empty answer'],
  ] as const)('says what the %s decided', (agent, answer, text) => {
    const decided = entry(
      { event: 'decision_made', decision: { agent, answer } },
      'X (planner): an empty answer',
    );
    expect(workOf(NO_WORK, [decided])[agent].decision).toBe(text);
  });

  it('has no price where a model has none', () => {
    const answered = optimizer('model_answered', { input_tokens: 1, output_tokens: 1, dollars: null });
    expect(workOf(NO_WORK, [answered, answered]).optimizer.dollars).toBeNull();
  });
});

describe('stepsOf', () => {
  it('follows the nodes of the code, whose search may begin again', () => {
    const node = (kind: string, name: string) => entry({ event: kind, node: name });
    const first = stepsOf(NO_STEPS, [node('node_started', 'search'), node('node_finished', 'search')]);
    expect(first).toEqual({ search: 'answered', judgement: 'waiting' });
    const again = stepsOf(first, [node('node_started', 'search'), node('node_started', 'aggregate')]);
    expect(again).toEqual({ search: 'working', judgement: 'working' });
    expect(stepsOf(again, [entry({ event: 'trial_finished', node: 'search' })])).toEqual(again);
  });
});
