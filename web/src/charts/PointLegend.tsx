import classes from './Chart.module.css';
import { useLook } from './look';
import type { Group } from './ScatterChart';

/** The groups of points beside their symbol. */
export function PointLegend({ groups, line }: { groups: readonly Group[]; line: string | undefined }) {
  const look = useLook();
  return (
    <ul className={classes.legend}>
      {groups.map(({ name, role, hollow }) => {
        const { color, symbol } = look.stroke(role);
        const paint = hollow ? { fill: 'none', stroke: color, strokeWidth: 2 } : { fill: color };
        return (
          <li key={name}>
            <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
              {symbol === 'rect' ? (
                <rect x="2" y="2" width="8" height="8" {...paint} />
              ) : symbol === 'triangle' ? (
                <path d="M6 1.5 11 10.5H1Z" {...paint} />
              ) : symbol === 'diamond' ? (
                <path d="M6 1 11 6 6 11 1 6Z" {...paint} />
              ) : (
                <circle cx="6" cy="6" r="4" {...paint} />
              )}
            </svg>
            {name}
          </li>
        );
      })}
      {line !== undefined && (
        <li>
          <svg width="26" height="8" aria-hidden="true">
            <path d="M1 4h24" stroke={look.ink.muted} strokeWidth="1.5" strokeDasharray="4 3" />
          </svg>
          {line}
        </li>
      )}
    </ul>
  );
}
