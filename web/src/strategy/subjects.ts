import type { Role } from '../charts/look';
import type { Rules } from './requests';

type Subject = Rules[number]['subject'];

/** What is drawn, in its order: the strategy, then what it is compared with. */
export const SUBJECTS: Record<Subject, { name: string; role: Role }> = {
  strategy: { name: 'This strategy', role: 'main' },
  same_volatility: { name: 'Constant, same volatility', role: 0 },
  sixty_forty_cash: { name: '60/40 in cash', role: 1 },
  sixty_forty: { name: '60/40 in the bond', role: 1 },
  equity: { name: 'Fully invested', role: 'benchmark' },
};
export const ORDER = Object.keys(SUBJECTS) as Subject[];
