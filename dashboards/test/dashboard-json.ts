import { readFileSync } from 'node:fs';
import { dashboards } from '@weir/dashboards';

/** What the tests read of Grafana's classic model; the JSON is the subject, so nothing is imported from its builder. */
export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
  readonly datasource: { readonly type: string; readonly uid: string };
  readonly instant?: boolean;
  readonly exemplar?: boolean;
}

export interface LinkJson {
  readonly title: string;
  readonly url: string;
}

export interface AnnotationJson {
  readonly name: string;
  readonly enable: boolean;
  readonly expr: string;
  readonly titleFormat: string;
  readonly datasource: { readonly uid: string };
}

export interface PanelJson {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly targets?: readonly Target[];
  readonly panels?: readonly PanelJson[];
  readonly options?: { readonly legend?: { readonly showLegend: boolean } };
  readonly links?: readonly LinkJson[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      readonly noValue?: string;
      readonly links?: readonly LinkJson[];
    };
  };
}

export interface VariableJson {
  readonly type: string;
  readonly name: string;
  readonly label?: string;
  readonly multi?: boolean;
  readonly includeAll?: boolean;
  readonly allValue?: string;
  readonly refresh?: number;
  readonly datasource?: { readonly uid: string };
  readonly query: string | { readonly query: string };
}

export interface DashboardJson {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly editable: boolean;
  readonly schemaVersion: number;
  readonly refresh: string;
  readonly links: readonly {
    readonly type: string;
    readonly includeVars: boolean;
    readonly keepTime: boolean;
  }[];
  readonly annotations: { readonly list: readonly AnnotationJson[] };
  readonly templating: { readonly list: readonly VariableJson[] };
  readonly panels: readonly PanelJson[];
}

/** Every committed dashboard, freshly read. */
export function readDashboards(): readonly DashboardJson[] {
  return dashboards.map(({ file }) => JSON.parse(readFileSync(file, 'utf8')) as DashboardJson);
}

/** All panels, those of collapsed rows included, rows themselves not. */
export function panelsOf(dashboard: DashboardJson): readonly PanelJson[] {
  return dashboard.panels.flatMap((panel) => (panel.type === 'row' ? (panel.panels ?? []) : [panel]));
}
