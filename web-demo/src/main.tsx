/** The page begins: theme, address, the page itself, and its copy for the time without a network. */
import { render } from 'solid-js/web';
import './style/base.css';
import './style/frame.css';
import './style/tables.css';
import './style/packet.css';
import './style/panels.css';
import { App } from './app.js';
import { beginToSpeak } from './text/index.js';
import { applyTheme } from './theme.js';
import { followAddress } from './view.js';

applyTheme();
followAddress();
await beginToSpeak();
render(() => <App />, document.getElementById('page')!);

if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  // A page from an insecure origin has none, and works without.
  navigator.serviceWorker.register('./sw.js').catch(() => undefined);
}
