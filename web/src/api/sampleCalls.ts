/**
 * Requests as the documentation shows them, with what a client reads of their answers. Nothing runs: the compiler checks
 * that the types of the OpenAPI document accept the smallest bodies, and refuse wrong ones.
 */

import type { paths } from './schema';

type Content<Part> = Part extends { content: { 'application/json': infer Body } } ? Body : never;
type Body<Path extends keyof paths, Method extends keyof paths[Path]> = paths[Path][Method] extends {
  requestBody?: infer Request;
}
  ? Content<NonNullable<Request>>
  : never;
type Answer<
  Path extends keyof paths,
  Method extends keyof paths[Path],
  Status extends number = 200,
> = paths[Path][Method] extends { responses: infer Responses }
  ? Status extends keyof Responses
    ? Content<Responses[Status]>
    : never
  : never;
type Query<Path extends keyof paths, Method extends keyof paths[Path]> = paths[Path][Method] extends {
  parameters: { query?: infer Parameters };
}
  ? NonNullable<Parameters>
  : never;

const rule = { weight_function: 'inverse_vol', estimator: 'rolling', lookback_days: 63 } as const;
const symbols = ['AAPL', 'JNJ', 'XOM'];

export const bodies = {
  submitJob: [
    {},
    { trials: 20 },
    { name: 'Ten percent volatility', mandate: { target_volatility: 0.1 }, trials: 20, seed: 7 },
    { universe: 'stocks:AAPL,JNJ,XOM', limits: { max_drawdown: { bound: 0.25, tolerated: 0.2 } } },
    { space: { weight_functions: ['sigmoid'], midpoint: [0.12, 0.16] }, current_rule: rule },
    { scenarios: [{ name: 'own', mu: 0.05, sigma: 0.2, cash_rate: 0.03 }] },
  ] satisfies Body<'/api/jobs', 'post'>[],
  decideJob: [
    { verdict: 'approved' },
    { verdict: 'edited', trials: 50 },
    { verdict: 'rejected', reason: 'too dear' },
  ] satisfies Body<'/api/jobs/{job_id}/approval', 'post'>[],
  createDraft: { name: 'Half filled', trials: null } satisfies Body<'/api/drafts', 'post'>,
  evaluateConfiguration: [
    { config: rule },
    { config: { weight_function: 'merton' } },
    { config: rule, window: { first_day: '2005-01-03' }, scenario: 'bear_market', points: 100 },
  ] satisfies Body<'/api/evaluations', 'post'>[],
  predictEvaluation: { config: rule, job: 'last' } satisfies Body<'/api/evaluations/predicted', 'post'>,
  estimateSearch: { trials: 5000 } satisfies Body<'/api/estimates', 'post'>,
  createThread: [{}, { title: 'Rule of thumb' }] satisfies Body<'/api/threads', 'post'>[],
  branchThread: { after: 1 } satisfies Body<'/api/threads/{thread}/branches', 'post'>,
  createThreadRun: { message: 'is the last result luck?' } satisfies Body<
    '/api/threads/{thread}/runs',
    'post'
  >,
  createFeedback: [{ rating: 4 }, { rating: 4, comment: 'show the costs first' }] satisfies Body<
    '/api/threads/{thread}/runs/{number}/feedback',
    'post'
  >[],
  runAgent: {
    threadId: 't1',
    runId: 'r1',
    messages: [{ id: 'm1', role: 'user', content: 'how volatile is the S&P 500?' }],
  } satisfies Body<'/api/agent', 'post'>,
  createTicket: { path: '/api/runs/9f0c/events' } satisfies Body<'/api/tickets', 'post'>,
  createPortfolio: [
    { name: 'One', assets: { AAPL: 1 } },
    { name: 'Three stocks', assets: { AAPL: 50, JNJ: 30, XOM: 20 }, normalize: true, tags: ['demo'] },
    { name: 'Units and cash', holdings: { AAPL: 120 }, cash: { amount: 1000 } },
  ] satisfies Body<'/api/portfolios', 'post'>[],
  updatePortfolio: { name: 'Renamed' } satisfies Body<'/api/portfolios/{portfolio_id}', 'put'>,
  optimizeRiskParity: { symbols, bootstrap: { draws: 100 } } satisfies Body<
    '/api/optimization/risk-parity',
    'post'
  >,
  optimizeHrp: { symbols, covariance: 'ledoit_wolf' } satisfies Body<'/api/optimization/hrp', 'post'>,
  optimizeMinimumCvar: { symbols, level: 0.95 } satisfies Body<'/api/optimization/minimum-cvar', 'post'>,
  optimizeMaximumDiversification: { symbols, constraints: { upper: 0.5 } } satisfies Body<
    '/api/optimization/maximum-diversification',
    'post'
  >,
  computeEfficientFrontier: { symbols, numPortfolios: 10, riskFreeRate: 0.02 } satisfies Body<
    '/api/optimization/efficient-frontier',
    'post'
  >,
  measureRisk: [
    { holdings: { AAPL: 0.6, JNJ: 0.4 } },
    { portfolio_id: 'p-1', amount: 1_000_000, stress: { loss: 0.15, sessions: 21, shocks: { sp500: -0.3 } } },
  ] satisfies Body<'/api/risk', 'post'>[],
  simulateWealth: { portfolioId: 'p-1', engine: 'bootstrap', numPeriods: 2520 } satisfies Body<
    '/api/monte-carlo/simulate',
    'post'
  >,
  analyzeSimulation: { simulationId: 's-1' } satisfies Body<'/api/monte-carlo/analyze', 'post'>,
  createTearsheet: [{ asset: 'AAPL' }, { job: 'last' }] satisfies Body<'/api/tearsheets', 'post'>[],
  createMarker: { symbol: 'AAA', reason: 'a wrong tick', start: '2024-01-03' } satisfies Body<
    '/api/market-data/markers',
    'post'
  >,
};

export const queries = {
  listJobs: { state: 'waiting', name: 'ten', limit: 10 } satisfies Query<'/api/jobs', 'get'>,
  listTrials: { sort: 'sharpe', order: 'desc', scenario: 'base_case' } satisfies Query<
    '/api/jobs/{job_id}/trials',
    'get'
  >,
  getCharts: { chart: ['drawdown'], points: 500 } satisfies Query<'/api/jobs/{job_id}/charts', 'get'>,
  exportJob: { format: 'xlsx' } satisfies Query<'/api/jobs/{job_id}/export', 'get'>,
  pollEvents: { after: 12, wait: 20 } satisfies Query<'/api/runs/{run}/events/poll', 'get'>,
  getReturns: { symbols: 'AAPL,MSFT', returnType: 'monthly' } satisfies Query<
    '/api/market-data/returns',
    'get'
  >,
};

export const reads = {
  jobs: (page: Answer<'/api/jobs', 'get'>) => page.items.map((job) => [job.id, job.state] as const),
  progress: (job: Answer<'/api/jobs/{job_id}', 'get'>) =>
    job.progress.share + (job.progress.eta_seconds ?? 0),
  submitted: (job: Answer<'/api/jobs', 'post', 202>) => job.links['events'],
  verdict: (result: Answer<'/api/jobs/{job_id}/result', 'get'>) =>
    'verdict' in result ? result.verdict.headline : result.tried.length,
  events: (page: Answer<'/api/runs/{run}/events/poll', 'get'>) => page.events.map((each) => each.line ?? ''),
  weights: (answer: Answer<'/api/optimization/hrp', 'post'>) => Object.entries(answer.result.weights),
  question: (question: Answer<'/api/approvals/{question}', 'get'>) => question.asked.estimate?.dollars,
  datasets: (page: Answer<'/api/market-data/datasets', 'get'>) =>
    page.items.map((each) => each.freshness.days_behind),
};

export const refused = [
  // @ts-expect-error a number belongs here
  { trials: 'many' } satisfies Body<'/api/jobs', 'post'>,
  // @ts-expect-error there is no such field
  { trails: 20 } satisfies Body<'/api/jobs', 'post'>,
  // @ts-expect-error the weight function is missing
  { config: { estimator: 'rolling' } } satisfies Body<'/api/evaluations', 'post'>,
  // @ts-expect-error there is no such state
  { state: 'resting' } satisfies Query<'/api/jobs', 'get'>,
];
