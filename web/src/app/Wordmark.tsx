import classes from './Wordmark.module.css';

/** The name with its mark: a line that rises after a fall. */
export function Wordmark() {
  return (
    <span className={classes.word}>
      <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
        <path
          d="M4 22.5c4.8 0 5.8-6.4 10-6.4s4.4 3.4 7 3.4S25.400 10.500 28 6"
          fill="none"
          stroke="currentColor"
          strokeWidth="3"
          strokeLinecap="round"
        />
        <path d="M4 27.500h24" stroke="var(--main)" strokeWidth="2.500" strokeLinecap="round" />
      </svg>
      Stratigos
    </span>
  );
}
