import classes from './Chart.module.css';
import { useLook, type Role } from './look';

/** Names of the series beside their line; the text keeps the text's colour. */
export function Legend({ series }: { series: readonly { name: string; role: Role; shape?: string }[] }) {
  const look = useLook();
  return (
    <ul className={classes.legend}>
      {series.map(({ name, role, shape }) => {
        const { color, dash } = look.stroke(role);
        return (
          <li key={name}>
            <svg width="26" height="8" aria-hidden="true">
              {shape === 'points' ? (
                <circle cx="13" cy="4" r="3" fill={color} />
              ) : (
                <path
                  d="M1 4h24"
                  stroke={color}
                  strokeWidth="2.5"
                  strokeDasharray={dash === 'solid' ? undefined : dash.join(' ')}
                />
              )}
            </svg>
            {name}
          </li>
        );
      })}
    </ul>
  );
}
