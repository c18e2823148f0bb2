/** What is shown of a running agent: its state and drops, and pause and resume. */
import { Show } from 'solid-js';
import { number } from '../format.js';
import { t } from '../text/index.js';
import { again, liveIsFollowing, liveState, pause, resume, RING, setLiveIsFollowing, stats } from './live.js';

export function LiveControls() {
  return (
    <>
      <b class={`live ${liveState()}`}>{t().live}</b>
      <span class="dim">{t().liveRing(number(RING))}</span>
      <Show when={liveState() !== 'paused'} fallback={<button type="button" class="small-button" onClick={() => void resume()}>{t().resume}</button>}>
        <button type="button" class="small-button" onClick={pause}>{t().pause}</button>
        <label class="check"><input type="checkbox" checked={liveIsFollowing()} onChange={(event) => setLiveIsFollowing(event.currentTarget.checked)} /> {t().follow_}</label>
      </Show>
    </>
  );
}

export function LiveStatus() {
  const said = () => {
    switch (liveState()) {
      case 'connecting': return `${t().liveConnecting}…`;
      case 'waiting': return `${t().liveWaiting}…`;
      case 'paused': return t().livePaused;
      case 'lost': return t().liveLost(number(Math.ceil(again() / 1000)));
      case 'denied': return t().liveToken;
      case 'following': return '';
    }
  };
  return (
    <>
      <span>{said()}</span>
      <Show when={stats()}>
        {(agent) => (
          <>
            <span class="num">{t().agentReceived(number(agent().received))}</span>
            <span class="num" classList={{ warn: agent().dropped > 0 }}>{t().liveDropped(number(agent().dropped))}</span>
          </>
        )}
      </Show>
    </>
  );
}
