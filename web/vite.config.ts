import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const service = process.env.STRATIGOS_URL ?? 'http://127.0.0.1:8000';

export default defineConfig({
  base: '/',
  plugins: [react()],
  html: { cspNonce: '__CSP_NONCE__' }, // the service puts the nonce of each response in its place
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 900,
  },
  server: { proxy: { '/api': { target: service, ws: true } } },
  test: { environment: 'happy-dom', include: ['src/**/*.test.{ts,tsx}'] },
});
