/** The screens of bff-mobile, as an app calls them. */
import { Http, type CallOptions, type HttpSettings } from "./http.js";

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
  promotions: { id: string; title: string }[];
  receipt: Record<string, PartReceipt>;
}

export interface Product {
  id: string;
  name: string;
  price: Money;
  img: string;
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

  async #get<T>(path: string, options?: CallOptions): Promise<T> {
    const { body } = await this.http.call<T>("GET", path, options);
    if (body === undefined) throw new Error(`${path} answered without a body`);
    return body;
  }
}
