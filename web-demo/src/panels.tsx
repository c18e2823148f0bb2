/** The table of views: a view is a file and a row here. Those that a capture does not open with come when they are needed. */
import type { Component } from 'solid-js';
import { later } from './later.js';
import { OverviewPanel } from './overview/overview.js';
import { PacketsPanel } from './packets/packets.js';
import type { Tab } from './view.js';

export const PANELS: { tab: Tab; view: Component }[] = [
  { tab: 'overview', view: OverviewPanel },
  { tab: 'packets', view: PacketsPanel },
  { tab: 'flows', view: later(() => import('./flows/flows.js').then(({ FlowsPanel }) => FlowsPanel)) },
  { tab: 'problems', view: later(() => import('./problems.js').then(({ ProblemsPanel }) => ProblemsPanel)) },
  { tab: 'workshop', view: later(() => import('./workshop/workshop.js').then(({ WorkshopPanel }) => WorkshopPanel)) },
];
