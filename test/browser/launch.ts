import type { LaunchOptions } from 'playwright-core';
import { findChromium } from './chromium.ts';

/** The environment variable by which the whole run shares one browser. */
export const sharedBrowserVariable = 'JANUA_TEST_BROWSER';

/**
 * For each page Chromium loads two more, the popups of its address bar, which take as long as a test. The other features are those that
 * Playwright switches off, because only the last list counts.
 */
const disabledFeatures = [
  ...['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup'],
  ...['AimEnabled', 'AvoidUnnecessaryBeforeUnloadCheckSync', 'DestroyProfileOnBrowserClose', 'HttpsUpgrades'],
  ...['HttpsFirstBalancedModeAutoEnable', 'LensOverlay', 'MediaRouter', 'NetworkTimeServiceQuerying', 'PaintHolding'],
  ...[
    'AvoidCorsURLLoaderRestartOnRedirect',
    'SpareRendererForSitePerProcess',
    'OptimizationHints',
    'PreconnectToSearch',
    'ThirdPartyStoragePartitioning',
  ],
];

/** @throws when there is no Chromium */
export function launchOptions(): LaunchOptions {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error('No Chromium was found. Set CHROMIUM_PATH.');
  const off = ['gpu', 'background-networking', 'component-update', 'sync'].map((name) => `--disable-${name}`);
  const features = `--disable-features=${disabledFeatures.join(',')}`;
  return {
    executablePath,
    args: ['--no-sandbox', '--no-first-run', '--in-process-gpu', '--renderer-process-limit=1', features, ...off],
  };
}
