import type { Disk, DiskFile } from './disk.ts';

const pageBytes = 64 * 1024;

/** A disk that lives as long as the process: what `--durability memory` and unit tests run on. */
export class MemoryDisk implements Disk {
  readonly #files = new Map<string, MemoryFile>();

  open(path: string, options: { create: boolean }): Promise<DiskFile> {
    let file = this.#files.get(path);
    if (file === undefined) {
      if (!options.create) return Promise.reject(noEntry(path));
      file = new MemoryFile();
      this.#files.set(path, file);
    }
    return Promise.resolve(file);
  }

  async readFile(path: string): Promise<Buffer | undefined> {
    const file = this.#files.get(path);
    if (file === undefined) return undefined;
    const bytes = Buffer.alloc(await file.size());
    await file.read(bytes, 0);
    return bytes;
  }

  makeFolder(): Promise<void> {
    return Promise.resolve();
  }

  list(path: string): Promise<string[]> {
    const prefix = path === '' || path === '.' ? '' : `${path}/`;
    const names = new Set<string>();
    for (const name of this.#files.keys()) {
      if (name.startsWith(prefix)) names.add(name.slice(prefix.length).split('/')[0] as string);
    }
    return Promise.resolve([...names].sort());
  }

  rename(from: string, to: string): Promise<void> {
    const file = this.#files.get(from);
    if (file === undefined) return Promise.reject(noEntry(from));
    this.#files.delete(from);
    this.#files.set(to, file);
    return Promise.resolve();
  }

  remove(path: string): Promise<void> {
    this.#files.delete(path);
    return Promise.resolve();
  }

  removeFolder(path: string): Promise<void> {
    for (const name of this.#files.keys()) if (name.startsWith(`${path}/`)) this.#files.delete(name);
    return Promise.resolve();
  }

  syncFolder(): Promise<void> {
    return Promise.resolve();
  }
}

function noEntry(path: string): Error {
  return Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
}

/** Pages are made when first written, so a sparse or preallocated file costs what it holds. */
class MemoryFile implements DiskFile {
  readonly #pages = new Map<number, Buffer>();
  #length = 0;

  write(bytes: Uint8Array, position: number): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      const at = position + from;
      const inPage = at % pageBytes;
      const count = Math.min(pageBytes - inPage, bytes.length - from);
      this.#page(Math.floor(at / pageBytes)).set(bytes.subarray(from, from + count), inPage);
      from += count;
    }
    this.#length = Math.max(this.#length, position + bytes.length);
    return Promise.resolve();
  }

  read(into: Uint8Array, position: number): Promise<number> {
    const wanted = Math.max(0, Math.min(into.length, this.#length - position));
    for (let from = 0; from < wanted;) {
      const at = position + from;
      const inPage = at % pageBytes;
      const count = Math.min(pageBytes - inPage, wanted - from);
      const page = this.#pages.get(Math.floor(at / pageBytes));
      if (page === undefined) into.fill(0, from, from + count);
      else into.set(page.subarray(inPage, inPage + count), from);
      from += count;
    }
    return Promise.resolve(wanted);
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  truncate(length: number): Promise<void> {
    const keep = Math.ceil(length / pageBytes);
    for (const page of this.#pages.keys()) if (page >= keep) this.#pages.delete(page);
    if (length % pageBytes !== 0) this.#pages.get(keep - 1)?.fill(0, length % pageBytes);
    this.#length = length;
    return Promise.resolve();
  }

  size(): Promise<number> {
    return Promise.resolve(this.#length);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #page(index: number): Buffer {
    let page = this.#pages.get(index);
    if (page === undefined) {
      page = Buffer.alloc(pageBytes);
      this.#pages.set(index, page);
    }
    return page;
  }
}
