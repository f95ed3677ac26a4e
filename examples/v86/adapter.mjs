// The virtio-balloon device of v86 behind the protocol over standard streams (docs/test/stdio-protocol.md).
//
// No guest runs in the emulator: this program is the driver. It finds the device on the PCI bus and drives it
// through the emulator's ports (VIRTIO 1.2, 4.1), with split virtqueues in the emulator's memory.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

for (const name of ["log", "info", "debug"]) console[name] = console.error; // answers alone go to standard output

const PAGE = 4096;
const MOST_PAGES = 0x40000;
const RINGS = { at: 0x40 * PAGE, end: 0xa0 * PAGE }; // virtqueues and buffers lie here; up to LOW_END is no RAM
const LOW_END = 0x100 * PAGE;
const GAP = 16; // bytes between two buffers
const ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8;
const COMMON = 1, NOTIFY = 2, ISR = 3, DEVICE = 4; // the device's structures, by the type of their capability
const DEVICE_SELECT = 0, DEVICE_FEATURE = 4, DRIVER_SELECT = 8, DRIVER_FEATURE = 12, DEVICE_STATUS = 20;
const QUEUE_SELECT = 22, QUEUE_SIZE = 24, QUEUE_ENABLE = 28, NOTIFY_OFFSET = 30, QUEUE_ADDRESSES = 32;
const NEXT = 1, WRITE = 2;
const STATISTICS = ["SWAP_IN", "SWAP_OUT", "MAJFLT", "MINFLT", "MEMFREE", "MEMTOT", "AVAIL", "CACHES",
    "HTLB_PGALLOC", "HTLB_PGFAIL"]; // v86's names, by tag

const fail = (error, text) => { throw { error, text }; };
const hex = (number) => "0x" + number.toString(16);

// -- the emulator -----------------------------------------------------------------------------------------

const directory = dirname(createRequire(import.meta.url).resolve("v86/package.json"));
const version = JSON.parse(readFileSync(join(directory, "package.json"))).version;
const ports = {}; // of the structures, and the multiplier for notifications
let cpu, balloon, memory, memoryPages = 0, told; // told: the statistics that the host was told last

// The debug build is the one with names. Without its assertions it does what the build does that people use.
async function boot(pages) {
    const source = readFileSync(join(directory, "build/libv86-debug.mjs"), "utf8");
    const mild = source.replace(/function \$dbg_assert\$\$module\$src\$log\$\$\(.*?\) \{/, "$& return;");
    if (mild === source) throw new Error("libv86-debug.mjs has no dbg_assert; is this v86 0.5.462?");
    const { V86 } = await import("data:text/javascript;base64," + Buffer.from(mild).toString("base64"));
    const emulator = new V86({
        wasm_path: join(directory, "build/v86.wasm"), memory_size: pages * PAGE, vga_memory_size: 2 << 20,
        bios: { buffer: new Uint8Array(0x10000).fill(0xf4).buffer }, // HLT; nothing is ever run
        virtio_balloon: true, autostart: false, disable_speaker: true, log_level: 0,
    });
    await new Promise((ready) => emulator.add_listener("emulator-ready", ready));
    cpu = emulator.v86.cpu;
    balloon = cpu.devices.virtio_balloon;
    memory = Buffer.from(cpu.mem8.buffer, cpu.mem8.byteOffset, pages * PAGE);
    memoryPages = pages;
    findPorts();
}

// Find the balloon on bus 0, and the ports of its structures in the list of capabilities.
function findPorts() {
    const read = (slot, at) => {
        cpu.io.port_write32(0xcf8, 0x80000000 | slot << 11 | at & 0xfc);
        return cpu.io.port_read32(0xcfc) >>> 0;
    };
    const slot = [...Array(32).keys()].find((one) => read(one, 0) === 0x10451af4);
    for (let at = read(slot, 0x34) & 0xfc; at; at = read(slot, at) >>> 8 & 0xfc) {
        const type = read(slot, at) >>> 24, bar = read(slot, at + 4) & 0xff;
        ports[type] = (read(slot, 0x10 + 4 * bar) & 0xfffc) + read(slot, at + 8);
        if (type === NOTIFY) ports.multiplier = read(slot, at + 16);
    }
}

const get = (structure, at, bytes) => cpu.io[`port_read${8 * bytes}`](ports[structure] + at) >>> 0;
const put = (structure, at, bytes, value) => cpu.io[`port_write${8 * bytes}`](ports[structure] + at, value);
const addStatus = (bit) => put(COMMON, DEVICE_STATUS, 1, get(COMMON, DEVICE_STATUS, 1) | bit);

// -- guest memory: a page holds FILL until the guest writes there ------------------------------------------

const FILL = Buffer.alloc(PAGE, 0x5a), ZEROS = Buffer.alloc(PAGE);
const pagesWritten = new Map();
const isMemory = (at) => at < memoryPages * PAGE && (at < RINGS.at || at >= LOW_END);

function guestWrites(address, data) {
    for (let done = 0; done < data.length;) {
        const at = address + done, page = Math.floor(at / PAGE), part = data.subarray(done, done + PAGE - at % PAGE);
        if (!pagesWritten.has(page)) pagesWritten.set(page, Buffer.from(FILL));
        part.copy(pagesWritten.get(page), at % PAGE);
        part.copy(memory, at);
        done += part.length;
    }
}

// Tell what became of a page, and put back what the guest had there.
function lookAt(page, answer) {
    const now = memory.subarray(page * PAGE, (page + 1) * PAGE), before = pagesWritten.get(page) ?? FILL;
    if (now.equals(before)) return;
    if (now.equals(ZEROS)) answer.discarded.push([page, 1]);
    else {
        const spans = [];
        for (let at = 0; at < PAGE; at++) {
            const from = at;
            while (at < PAGE && now[at] !== before[at]) at++;
            if (at > from) spans.push([hex(page * PAGE + from), at - from]);
        }
        answer.overwritten.push([page, 1]);
        answer.changes.push({ pages: [[page, 1]], spans });
    }
    before.copy(now);
}

// -- virtqueues -------------------------------------------------------------------------------------------

let bits = {}, accepted = 0n, queues = new Map(), returned = []; // returned: buffers that may be read again

// Find room between the rings and the buffers that are there.
function allocate(length, taken) {
    const buffers = [...queues.values()].flatMap((queue) => [...queue.flight.values()]).concat(returned);
    const places = [...queues.values()].map((queue) => queue.ring).concat(taken, ...buffers.map((one) => one.segments));
    let at = RINGS.at;
    for (const place of places.sort((a, b) => a.at - b.at)) {
        if (place.at < at || place.at >= RINGS.end) continue;
        if (at + length + GAP <= place.at) break;
        at = Math.ceil((place.at + place.length + GAP) / 16) * 16;
    }
    return at + length <= RINGS.end ? at : fail("refused", `there is no room for ${length} bytes`);
}

function setUp(index) {
    put(COMMON, QUEUE_SELECT, 2, index);
    const size = get(COMMON, QUEUE_SIZE, 2), at = allocate(2 * PAGE, []); // the largest has 64 entries
    memory.fill(0, at, at + 2 * PAGE);
    const queue = { index, size, ring: { at, length: 2 * PAGE }, table: at, available: at + 0x1000, used: at + 0x1800,
        free: [...Array(size).keys()], flight: new Map(), made: 0, seen: 0,
        notify: get(COMMON, NOTIFY_OFFSET, 2) * ports.multiplier };
    [queue.table, queue.available, queue.used].forEach((address, which) => {
        put(COMMON, QUEUE_ADDRESSES + 8 * which, 4, address);
        put(COMMON, QUEUE_ADDRESSES + 8 * which + 4, 4, 0);
    });
    put(COMMON, QUEUE_ENABLE, 2, 1);
    queues.set(index, queue);
}

function lend(queue, name, data, wanted) {
    if (wanted.length > queue.free.length) fail("refused", `queue ${queue.index} has no ${wanted.length} descriptors`);
    const segments = [];
    for (const { length, writable = false, address } of wanted) {
        const at = address === undefined ? allocate(length, segments) : Number(address);
        segments.push({ at, length, writable, address: BigInt(address ?? at) });
        if (writable) continue;
        if (address === undefined) data.copy(memory, at, 0, length);
        else if (isMemory(at)) guestWrites(at, data.subarray(0, length));
        data = data.subarray(length);
    }
    const numbers = queue.free.splice(0, segments.length);
    segments.forEach((one, position) => {
        const entry = queue.table + 16 * numbers[position], next = numbers[position + 1];
        memory.writeBigUInt64LE(one.address, entry);
        memory.writeUInt32LE(one.length, entry + 8);
        memory.writeUInt16LE((next === undefined ? 0 : NEXT) | (one.writable ? WRITE : 0), entry + 12);
        memory.writeUInt16LE(next ?? 0, entry + 14);
    });
    queue.flight.set(numbers[0], { queue: queue.index, name, segments, numbers });
    memory.writeUInt16LE(numbers[0], queue.available + 4 + 2 * (queue.made % queue.size));
    queue.made = queue.made + 1 & 0xffff;
    memory.writeUInt16LE(queue.made, queue.available + 2);
}

const content = (one, writable) => Buffer.concat(one.segments.filter((each) => each.writable === writable)
    .map((each) => memory.subarray(each.at, each.at + each.length)));

// What the device is seen to have done. v86 announces a change before it returns the buffer that led to it.
function collect() {
    const events = [], interrupt = get(ISR, 0, 1);
    if (interrupt & 2) events.push({ event: "configuration-changed", data: space().toString("hex") });
    for (const queue of queues.values()) {
        for (; queue.seen !== memory.readUInt16LE(queue.used + 2); queue.seen = queue.seen + 1 & 0xffff) {
            const entry = queue.used + 4 + 8 * (queue.seen % queue.size), head = memory.readUInt32LE(entry);
            const length = memory.readUInt32LE(entry + 4), one = queue.flight.get(head);
            if (!one) fail("violation", `queue ${queue.index}: the used ring has ${head}, which is not in flight`);
            queue.flight.delete(head);
            queue.free.push(...one.numbers);
            returned.push(one);
            events.push({ event: "used", queue: queue.index, buffer: one.name, length, notify: Boolean(interrupt & 1),
                written: content(one, true).subarray(0, length).toString("hex") });
        }
    }
    return events;
}

// -- commands ---------------------------------------------------------------------------------------------

const has = (name) => bits[name] !== undefined && (accepted >> BigInt(bits[name]) & 1n) === 1n;

function space() {
    const data = Buffer.alloc(has("FREE_PAGE_HINT") ? 12 : 8);
    for (let at = 0; at < data.length; at += 4) data.writeUInt32LE(get(DEVICE, at, 4), at);
    return data;
}

function reset() {
    put(COMMON, DEVICE_STATUS, 1, 0);
    [queues, returned, accepted] = [new Map(), [], 0n];
    addStatus(ACKNOWLEDGE);
    addStatus(DRIVER);
    const words = [0, 1].map((word) => { put(COMMON, DEVICE_SELECT, 4, word); return BigInt(get(COMMON, DEVICE_FEATURE, 4)); });
    return { offered: hex(words[1] << 32n | words[0]) };
}

const commands = {
    async start({ protocol, memory_pages: pages, bits: numbers }) {
        if (protocol !== 2) fail("refused", "this program speaks version 2");
        if (Math.min(pages, MOST_PAGES) !== memoryPages) await boot(Math.min(pages, MOST_PAGES));
        bits = numbers;
        memory.fill(FILL[0]);
        pagesWritten.clear();
        Object.assign(balloon, { num_pages: 0, actual: 0, fp_cmd: 0, zeroed: 0, free_cb: undefined });
        told = {};
        balloon.stats_cb = (statistics) => { told = statistics; }; // as if the host had asked before
        return { ...reset(), protocol, role: "device", name: "v86", version,
            capabilities: ["synchronous", "raw-features", "reread", "descriptors", "addresses", "discards", "write-pages",
                "operator-target", "operator-statistics", "operator-hint", "host-statistics"],
            memory: [[0, RINGS.at / PAGE], [LOW_END / PAGE, memoryPages - LOW_END / PAGE]] };
    },
    reset,
    negotiate({ accepted: features }) {
        accepted = BigInt(features);
        [accepted & 0xffffffffn, accepted >> 32n].forEach((word, which) => {
            put(COMMON, DRIVER_SELECT, 4, which);
            put(COMMON, DRIVER_FEATURE, 4, Number(word));
        });
        addStatus(FEATURES_OK);
        if (!(get(COMMON, DEVICE_STATUS, 1) & FEATURES_OK)) return { features_ok: false };
        [0, 1].concat(has("STATS_VQ") ? 2 : [], has("FREE_PAGE_HINT") ? 3 : []).forEach(setUp);
        return { features_ok: true, ring_sizes: [...queues.values()].map((queue) => [queue.index, queue.size]) };
    },
    "driver-ok"() { addStatus(DRIVER_OK); },
    available({ queue: index, buffer, readable, writable, notify = true, segments = [] }) {
        const queue = queues.get(index) ?? fail("refused", `there is no queue ${index}`);
        const data = Buffer.from(readable, "hex"), [reads, writes] = [false, true].map((way) =>
            segments.filter((one) => Boolean(one.writable) === way));
        if (!reads.length && (data.length || !writable)) reads.push({ length: data.length });
        if (!writes.length && writable) writes.push({ length: writable, writable: true });
        lend(queue, buffer, data, reads.concat(writes));
        if (notify) put(NOTIFY, queue.notify, 2, index);
    },
    "configuration-read"({ offset, length }) {
        return { data: Buffer.concat([space(), Buffer.alloc(offset + length)]).subarray(offset, offset + length).toString("hex") };
    },
    "configuration-write"({ offset, data }) {
        const value = Buffer.from(data, "hex");
        for (let at = 0, width; at < value.length; at += width) {
            width = [4, 2, 1].find((one) => (offset + at) % one === 0 && at + one <= value.length);
            put(DEVICE, offset + at, width, value.readUIntLE(at, width));
        }
    },
    operator({ action, value }) {
        if (action === "target") balloon.Inflate(Number(value) - balloon.num_pages);
        else if (action === "statistics") balloon.GetStats(balloon.stats_cb);
        else if (action === "hint") balloon.Cleanup(() => {});
        else fail("not-implemented", `v86 has no operator for ${action}`);
    },
    "host-statistics"() {
        return { statistics: STATISTICS.flatMap((name, tag) => name in told ? [[tag, hex(told[name])]] : []) };
    },
    discarded({ pages }) {
        const answer = { discarded: [], overwritten: [], changes: [] };
        for (const [first, count] of pages) {
            for (let page = first; page < first + count; page++) if (isMemory(page * PAGE)) lookAt(page, answer);
        }
        return answer;
    },
    "write-pages"({ pages, data }) {
        const fill = Buffer.alloc(PAGE, Buffer.from(data, "hex"));
        for (const [first, count] of pages) for (let page = first; page < first + count; page++) guestWrites(page * PAGE, fill);
    },
    reread({ queue, buffer }) {
        const lent = [...queues.get(queue)?.flight.values() ?? []].concat(returned);
        const one = lent.find((each) => each.queue === queue && each.name === buffer) ?? fail("refused", `there is no buffer ${buffer}`);
        return { readable: content(one, false).toString("hex") };
    },
    observe() {}, // whatever the device does, it has done by now
    stop() {},
};

for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line), answer = { seq: command.seq };
    try {
        if (!Object.hasOwn(commands, command.command)) fail("unknown-command", `a device has no command ${command.command}`);
        if (command.command !== "reread") returned = [];
        Object.assign(answer, await commands[command.command](command));
        const events = cpu && command.command !== "reset" ? collect() : [];
        if (events.length) answer.events = events;
    } catch (error) {
        // What is thrown while the device is notified would end the emulator.
        Object.assign(answer, error.error ? error : { error: "crashed", text: String(error).replace(/\s+/g, " ") });
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
    if (command.command === "stop") process.exit(0);
}
