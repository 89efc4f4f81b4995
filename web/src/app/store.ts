import { configureStore } from '@reduxjs/toolkit';
import { setupListeners } from '@reduxjs/toolkit/query';

import { service } from '../api/service';
import { draftReducer } from '../drafts/drafts';

export const store = configureStore({
  reducer: { [service.reducerPath]: service.reducer, drafts: draftReducer },
  middleware: (defaults) => defaults().concat(service.middleware),
});

setupListeners(store.dispatch);

export type State = ReturnType<typeof store.getState>;
export type Dispatch = typeof store.dispatch;
