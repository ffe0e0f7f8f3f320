// Typed events on a standard EventTarget: the listener's argument carries the value in `detail`.

/** An event with a value. */
export class DetailEvent<T> extends Event {
  readonly detail: T;

  constructor(type: string, detail: T) {
    super(type);
    this.detail = detail;
  }
}

type Listener<T> = (event: DetailEvent<T>) => void;

/** What listens to typed events. */
export interface TypedEvents<Events extends object> {
  addEventListener<K extends keyof Events & string>(
    type: K,
    listener: (event: DetailEvent<Events[K]>) => void,
    options?: { once?: boolean; signal?: AbortSignal },
  ): void;
  removeEventListener<K extends keyof Events & string>(
    type: K,
    listener: (event: DetailEvent<Events[K]>) => void,
  ): void;
}

/** An EventTarget whose event names and details are typed by `Events`. A throwing listener harms no other. */
export class TypedEventTarget<Events extends object> implements TypedEvents<Events> {
  readonly #target = new EventTarget();

  addEventListener<K extends keyof Events & string>(
    type: K,
    listener: Listener<Events[K]>,
    options?: { once?: boolean; signal?: AbortSignal },
  ): void {
    this.#target.addEventListener(type, listener as (event: Event) => void, options);
  }

  removeEventListener<K extends keyof Events & string>(type: K, listener: Listener<Events[K]>): void {
    this.#target.removeEventListener(type, listener as (event: Event) => void);
  }

  protected emit<K extends keyof Events & string>(type: K, detail: Events[K]): void {
    this.#target.dispatchEvent(new DetailEvent(type, detail));
  }
}
