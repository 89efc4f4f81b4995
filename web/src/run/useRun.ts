import { useLocalStorage } from '@mantine/hooks';
import { useEffect, useState } from 'react';

import type { Way } from './connections';
import { BEFORE, follow, type Following } from './follow';

/** The first way to try, a choice of this browser. */
export const usePreferredWay = () =>
  useLocalStorage<Way>({
    key: 'stratigos-live-by',
    defaultValue: 'websocket',
    getInitialValueInEffect: false,
  });

/** A run as it happens. */
export function useRun(run: string): Following {
  const [way] = usePreferredWay();
  const [following, setFollowing] = useState<Following>(BEFORE);
  useEffect(() => follow(run, way, setFollowing), [run, way]);
  return following;
}
