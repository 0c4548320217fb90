export {
  type ConditionName,
  type ConditionReport,
  conditions,
  type ProvokeOptions,
  provoke,
} from './conditions.ts';
export { readConfig, type ShopConfig } from './config.ts';
export { ShopError } from './errors.ts';
export { createShopServer, type ShopServerOptions } from './server.ts';
export { type Shop, startShop } from './shop.ts';
export { sendTraffic, type TrafficOptions, type TrafficReport } from './traffic.ts';
