/** The screens of bff-mobile, as an app calls them. */
import { Http, type CallOptions, type HttpSettings } from "./http.js";
import { randomText } from "./sign-in.js";

/** An amount in the currency's smallest unit. */
export interface Money {
  minor: number;
  currency: string;
}

/** How one part of a screen was come by. */
export interface PartReceipt {
  state: "live" | "cached" | "stale" | "fallback" | "missing";
  asOf?: string;
  reason?: string;
}

export interface Home {
  name: string;
  balance?: Money;
  unread?: number;
  lastOrder?: { id: string; status: string; total: Money };
  promotions: { id: string; title: string; percent: number }[];
  receipt: Record<string, PartReceipt>;
}

export interface Product {
  id: string;
  name: string;
  price: Money;
  img: string;
}

export interface Order {
  id: string;
  status: string;
  /** RFC 3339, UTC. */
  placedAt: string;
  /** How many pieces. */
  items: number;
  total: Money;
}

export interface NewLine {
  product: string;
  quantity: number;
}

/** What a user means to order, once. Keep it until there is an answer, over a restart of the app too. */
export interface OrderIntent {
  /** The name of the intent: the same one for each attempt. */
  key: string;
  lines: NewLine[];
}

/** Begins an intent. */
export function orderIntent(lines: NewLine[]): OrderIntent {
  return { key: randomText(), lines };
}

export interface Page<T> {
  content: T[];
  page: number;
  size: number;
  totalElements: number;
  totalPages: number;
  first: boolean;
  last: boolean;
}

export interface PageQuery {
  page?: number;
  size?: number;
  sort?: string;
  search?: string;
}

export class MobileClient {
  readonly http: Http;

  constructor(settings: HttpSettings) {
    this.http = new Http(settings);
  }

  /** The home screen. */
  home(options?: CallOptions): Promise<Home> {
    return this.#get("/v1/home", options);
  }

  /** One page of products. */
  products(query: PageQuery = {}, options?: CallOptions): Promise<Page<Product>> {
    return this.#get("/v1/products", { ...options, query: { ...query } });
  }

  /** One page of the user's orders. */
  orders(query: Omit<PageQuery, "search"> = {}, options?: CallOptions): Promise<Page<Order>> {
    return this.#get("/v1/orders", { ...options, query: { ...query } });
  }

  /**
   * Places an order, once for its intent: a lost answer is asked for again with the same key, here and by whoever calls
   * this again with the same intent.
   */
  async placeOrder(intent: OrderIntent, options?: CallOptions): Promise<Order> {
    const call = { ...options, body: { lines: intent.lines }, idempotencyKey: intent.key };
    const { body } = await this.http.call<Order>("POST", "/v1/orders", call);
    if (body === undefined) throw new Error("/v1/orders answered without a body");
    return body;
  }

  /** The feature flags; one that is not there is off. */
  async flags(options?: CallOptions): Promise<Record<string, boolean>> {
    return (await this.#get<{ flags: Record<string, boolean> }>("/v1/flags", options)).flags;
  }

  async #get<T>(path: string, options?: CallOptions): Promise<T> {
    const { body } = await this.http.call<T>("GET", path, options);
    if (body === undefined) throw new Error(`${path} answered without a body`);
    return body;
  }
}
