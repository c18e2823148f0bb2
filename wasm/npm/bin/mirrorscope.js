#!/usr/bin/env node
/** `npx mirrorscope FILE`: what `mirrorscope read` prints, without the native program. stdout is data, stderr is talk. */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { CaptureError, FilterError, MirrorscopeError, print, report, version } from '../dist/node.js';

const USAGE = `\
Print the packets of a capture of AWS mirrored traffic, the mirrored packet first

  mirrorscope [read] FILE [EXPR]     one line a packet; FILE may be pcap or pcapng, also gzip or zstd; - is stdin
  mirrorscope sessions FILE [EXPR]   one row for each mirror session, as JSON lines or --csv
  mirrorscope flows FILE [EXPR]      one row for each flow, as JSON lines or --csv

  --json              one JSON object a packet
  --style tcpdump     what \`tcpdump -tttt -nn\` prints
  -v, --verbose       every field of every layer
  -x                  octets of the mirrored packet; -xx of the whole record
  -w, --write         the mirrored frames as a pcapng file on stdout (redirect it); --outer keeps the tunnels
  -c, --max-packets N stop after N packets; --skip N passes over the first N
  -t … -ttttt         time as tcpdump shows it; --utc instead of local time; --nano nanoseconds
  -#, --number        the packet's number first

  mirrorscope capture.pcap 'vni 9325541 and tcp port 443'

Exit status: 0 done, 1 failed, 2 the capture is damaged (packets before the damage were printed).
`;

const OPTIONS = {
  json: { type: 'boolean' }, csv: { type: 'boolean' }, style: { type: 'string', default: 'brief' },
  verbose: { type: 'boolean', short: 'v' }, hex: { type: 'boolean', short: 'x', multiple: true },
  write: { type: 'boolean', short: 'w' }, outer: { type: 'boolean' },
  'max-packets': { type: 'string', short: 'c' }, skip: { type: 'string' },
  time: { type: 'boolean', short: 't', multiple: true }, utc: { type: 'boolean' }, local: { type: 'boolean' },
  nano: { type: 'boolean' }, number: { type: 'boolean', short: '#' }, quiet: { type: 'boolean', short: 'q' },
  help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'V' },
};

process.exitCode = await main(process.argv.slice(2));

async function main(argv) {
  try {
    const { values, positionals } = parseArgs({ args: argv, options: OPTIONS, allowPositionals: true });
    if (values.version) return say(`mirrorscope ${version()}\n`);
    if (values.help || positionals.length === 0) return say(USAGE, values.help ? 0 : 1);
    return await run(values, positionals);
  } catch (error) {
    return fail(error);
  }
}

async function run(values, positionals) {
  const command = ['read', 'sessions', 'flows'].includes(positionals[0]) ? positionals.shift() : 'read';
  const [file, ...words] = positionals;
  if (file === undefined) return say(USAGE, 1);
  const options = {
    filter: words.join(' '), skip: count(values.skip, 'skip') ?? 0, count: count(values['max-packets'], 'max-packets'),
  };
  const source = open(file);
  if (command !== 'read') {
    const { text, damage } = await report(source, command, { ...options, csv: values.csv ?? false });
    write(Buffer.from(text));
    return damage ? fail(damage, file) : 0;
  }
  try {
    for await (const octets of print(source, { ...options, ...style(values) })) write(octets);
  } catch (error) {
    return fail(error, file);
  }
  return 0;
}

function style(values) {
  const format = values.write ? (values.outer ? 'pcapng' : 'inner-pcapng')
    : values.json ? 'jsonl' : values.style === 'tcpdump' ? 'tcpdump' : 'text';
  return {
    format, time: Math.min(values.time?.length ?? 4, 5) || 4, nanoseconds: values.nano, local: !values.utc,
    colour: process.stdout.isTTY && !process.env.NO_COLOR, number: values.number, verbose: values.verbose,
    hex: Math.min(values.hex?.length ?? 0, 2),
  };
}

/** The file as something that is read piece by piece, whatever its size; pipes as they come. */
function open(file) {
  const fd = file === '-' ? 0 : openSync(file);
  const stat = fstatSync(fd);
  if (stat.isDirectory()) throw new MirrorscopeError('DIRECTORY', `${file}: this is a directory`, 'name one of the capture files inside it');
  return chunks(fd);
}

function* chunks(fd) {
  const buffer = new Uint8Array(1 << 20);
  try {
    for (;;) {
      const length = readSync(fd, buffer);
      if (length === 0) return;
      yield buffer.subarray(0, length);
    }
  } finally {
    closeSync(fd);
  }
}

function count(text, option) {
  if (text === undefined) return undefined;
  if (!/^[0-9]+$/.test(text)) throw new MirrorscopeError('OPTION', `--${option} needs a number, not ${text}`);
  return Number(text);
}

function write(octets) {
  for (let at = 0; at < octets.length; ) {
    try {
      at += writeSync(1, octets, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function say(text, status = 0) {
  (status === 0 ? process.stdout : process.stderr).write(text);
  return status;
}

/** A closed pipe is success: whoever reads has seen enough. */
function fail(error, file) {
  if (error?.code === 'EPIPE') return 0;
  const place = file !== undefined && error instanceof MirrorscopeError && !(error instanceof FilterError) ? `${file}: ` : '';
  const message = error instanceof FilterError ? error.rendered : `error: ${place}${error?.message ?? error}`;
  const hint = error instanceof MirrorscopeError && !(error instanceof FilterError) && error.hint ? `\n  hint: ${error.hint}` : '';
  process.stderr.write(`${message}${hint}\n`);
  return error instanceof CaptureError || error?.code === 'COMPRESSION' ? 2 : 1;
}
