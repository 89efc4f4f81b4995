import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import './app/global.css';

import { MantineProvider } from '@mantine/core';
import { ModalsProvider } from '@mantine/modals';
import { Notifications } from '@mantine/notifications';
import { setNonce } from 'get-nonce';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Provider } from 'react-redux';
import { RouterProvider } from 'react-router';

import { createRouter } from './app/router';
import { Gate } from './session/Gate';
import { store } from './app/store';
import { cssVariables, schemeInCookie, theme } from './app/theme';

// the page's policy admits style elements with this nonce only; browsers empty the attribute, not the property
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? '';
setNonce(nonce);

const router = createRouter();
const root = document.getElementById('root');
if (root === null) throw new Error('the page has no element #root');
createRoot(root).render(
  <StrictMode>
    <Provider store={store}>
      <MantineProvider
        theme={theme}
        cssVariablesResolver={cssVariables}
        colorSchemeManager={schemeInCookie}
        defaultColorScheme="auto"
        getStyleNonce={() => nonce}
      >
        <ModalsProvider>
          <Notifications position="bottom-right" />
          <Gate>
            <RouterProvider router={router} />
          </Gate>
        </ModalsProvider>
      </MantineProvider>
    </Provider>
  </StrictMode>,
);
