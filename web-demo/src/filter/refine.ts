/** Filters that are made by pointing: this too, or all but this. */
import { filter, setFilter, setTyping } from '../view.js';
import { keep } from './history.js';

/** Filters by `test` as well; with `not`, by its contrary. */
export function refine(test: string, isNot = false): void {
  const term = isNot ? `not ${atom(test)}` : test;
  const before = filter().trim();
  if (before === term) return;
  setTyping(0);
  // `and` and `or` bind alike from left to right, so what stands before needs parentheses only around `or`.
  setFilter(before ? `${atom(before)} and ${atom(term)}` : term);
  keep(filter());
}

function atom(expression: string): string {
  return /\b(or|and)\b|\|\||&&/.test(expression) && !isAndChain(expression) ? `(${expression})` : expression;
}

function isAndChain(expression: string): boolean {
  return !/\bor\b|\|\||[()]/.test(expression) && !expression.startsWith('not ');
}

/** The test that an address, with a port or without, stands for. */
export const hostTest = (address: string): string => `host ${address}`;
