/** Words for where a run is. */

import { title } from '../numbers/format';

const STAGES: Record<string, string> = {
  queued: 'In the queue',
  validating: 'Checks the data',
  prepare: 'Checks the data',
  waiting: 'Waits for an approval',
  risk_manager: 'Risk manager sets limits',
  market_analyst: 'Market analyst weighs scenarios',
  optimizer: 'Optimizer plans the search',
  search: 'Searching',
  aggregate: 'Tests for luck',
  explainer: 'Explains the result',
  render: 'Writes the answer',
};

/** Of a step of the graph, or of a state of a job. */
export const stageOf = (stage: string): string => STAGES[stage] ?? title(stage);
