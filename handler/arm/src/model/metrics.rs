//! The answers of `Microsoft.Insights/metrics` and of `metrics:getBatch`.

use jiff::Timestamp;

use crate::read::tolerant::arm_objects;
use crate::read::{Field, List, Part};

arm_objects! {
    /// The whole answer.
    Metrics {
        interval: Field<String>,
        value: List<MetricValue>,
    }

    /// The answer for several resources.
    MetricsBatch {
        values: List<MetricsOfResource>,
    }

    /// What it says of one of them.
    MetricsOfResource {
        #[serde(rename = "resourceid", alias = "resourceId")]
        resource_id: Field<String>,
        interval: Field<String>,
        value: List<MetricValue>,
    }

    /// One metric.
    MetricValue {
        name: Part<LocalizedName>,
        unit: Field<String>,
        error_code: Field<String>,
        error_message: Field<String>,
        timeseries: List<TimeSeries>,
    }

    /// A name with its REST spelling.
    LocalizedName {
        value: Field<String>,
    }

    /// One time series.
    TimeSeries {
        #[serde(rename = "metadatavalues")]
        dimensions: List<Dimension>,
        data: List<DataPoint>,
    }

    /// One dimension of a series.
    Dimension {
        name: Part<LocalizedName>,
        value: Field<String>,
    }

    /// One data point. Only a time is a gap.
    DataPoint {
        time_stamp: Field<Timestamp>,
        average: Field<f64>,
        maximum: Field<f64>,
        total: Field<f64>,
    }
}
