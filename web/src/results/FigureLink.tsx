import type { ReactNode } from 'react';
import { Link } from 'react-router';

import classes from './results.module.css';
import { useView } from './view';

/** A number that opens its computation; plain text where it has none. */
export function FigureLink({ id, children }: { id: string | null | undefined; children: ReactNode }) {
  const view = useView();
  if (!id) return children;
  return (
    <Link
      to={view.address({ fig: id })}
      preventScrollReset
      className={classes.figure ?? ''}
      title="How it was computed"
      data-figure={id}
    >
      {children}
    </Link>
  );
}
