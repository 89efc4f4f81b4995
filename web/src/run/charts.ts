import { service, type Answer } from '../api/service';

type Charts = Answer<'/api/jobs/{job_id}/charts'>;
type Convergence = NonNullable<Charts['convergence']>;
type Strategy = NonNullable<Charts['risk_return']>['points'][number];

/** What the page of a run draws; the whole answer would take twice the memory. */
export interface RunCharts {
  convergence: Pick<Convergence, 'trial' | 'objective' | 'running_maximum'> | null;
  points: Pick<
    Strategy,
    'trial' | 'weight_function' | 'volatility' | 'excess_return' | 'drawdown' | 'feasible' | 'pareto'
  >[];
}

function drawn({ convergence, risk_return: scatter }: Charts): RunCharts {
  return {
    convergence: convergence
      ? {
          trial: convergence.trial,
          objective: convergence.objective,
          running_maximum: convergence.running_maximum,
        }
      : null,
    points: (scatter?.points ?? []).map(
      ({ trial, weight_function, volatility, excess_return, drawdown, feasible, pareto }) => ({
        trial,
        weight_function,
        volatility,
        excess_return,
        drawdown,
        feasible,
        pareto,
      }),
    ),
  };
}

const chartService = service.injectEndpoints({
  endpoints: (build) => ({
    liveCharts: build.query<RunCharts, string>({
      query: (id) => `jobs/${id}/charts?chart=convergence&chart=risk_return&points=1000`,
      transformResponse: drawn,
    }),
    cancel: build.mutation<unknown, { id: string; reason: string }>({
      query: ({ id, reason }) => ({ url: `jobs/${id}`, method: 'DELETE', params: { reason } }),
      invalidatesTags: ['Jobs', 'Desk', 'Approvals'],
    }),
  }),
});

export const { useLiveChartsQuery, useCancelMutation } = chartService;
