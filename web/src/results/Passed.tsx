import { IconCircleCheck, IconCircleX } from '../app/icons';

/** Before the value of a test that is enough for green, or not; words beside it say which. */
export function Passed({ passed }: { passed: boolean }) {
  return passed ? <IconCircleCheck size={15} aria-hidden /> : <IconCircleX size={15} aria-hidden />;
}
