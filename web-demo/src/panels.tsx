/** The table of views: a view is a file and a row here. */
import type { JSX } from 'solid-js';
import { FlowsPanel } from './flows/flows.js';
import { OverviewPanel } from './overview/overview.js';
import { PacketsPanel } from './packets/packets.js';
import { ProblemsPanel } from './problems.js';
import type { Tab } from './view.js';
import { WorkshopPanel } from './workshop/workshop.js';

export const PANELS: { tab: Tab; view: () => JSX.Element }[] = [
  { tab: 'overview', view: OverviewPanel },
  { tab: 'packets', view: PacketsPanel },
  { tab: 'flows', view: FlowsPanel },
  { tab: 'problems', view: ProblemsPanel },
  { tab: 'workshop', view: WorkshopPanel },
];
