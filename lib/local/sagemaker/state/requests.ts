/**
 * Types of validated requests. Members that are only returned by Describe calls are not declared here; they stay in
 * the stored request.
 */

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

export interface S3Source {
  readonly S3DataType: string;
  readonly S3Uri: string;
  readonly S3DataDistributionType?: string;
}

export interface Channel {
  readonly ChannelName: string;
  readonly DataSource: { readonly S3DataSource?: S3Source; readonly FileSystemDataSource?: unknown };
  readonly ContentType?: string;
  readonly CompressionType?: string;
  readonly RecordWrapperType?: string;
  readonly InputMode?: string;
}

export interface InstancePreference {
  readonly InstanceType: string;
  readonly InstanceCount?: number;
}

export interface ResourceConfig {
  readonly InstanceType?: string;
  readonly InstanceCount?: number;
  readonly VolumeSizeInGB?: number;
  readonly VolumeKmsKeyId?: string;
  readonly KeepAlivePeriodInSeconds?: number;
  readonly InstanceGroups?: readonly unknown[];
  readonly InstancePlacementConfig?: unknown;
  readonly InstancePreferences?: readonly InstancePreference[];
}

export interface AlgorithmSpecification {
  readonly TrainingImage?: string;
  readonly AlgorithmName?: string;
  readonly TrainingInputMode: string;
  readonly ContainerEntrypoint?: readonly string[];
  readonly ContainerArguments?: readonly string[];
}

export interface StoppingCondition {
  readonly MaxRuntimeInSeconds?: number;
  readonly MaxWaitTimeInSeconds?: number;
}

export interface TrainingRequest {
  readonly TrainingJobName: string;
  readonly RoleArn: string;
  readonly AlgorithmSpecification: AlgorithmSpecification;
  readonly HyperParameters?: Readonly<Record<string, string>>;
  readonly Environment?: Readonly<Record<string, string>>;
  readonly InputDataConfig?: readonly Channel[];
  readonly OutputDataConfig: { readonly S3OutputPath: string; readonly CompressionType?: string };
  readonly ResourceConfig: ResourceConfig;
  readonly StoppingCondition: StoppingCondition;
  readonly CheckpointConfig?: { readonly S3Uri: string; readonly LocalPath?: string };
  readonly EnableManagedSpotTraining?: boolean;
  readonly EnableNetworkIsolation?: boolean;
  readonly EnableInterContainerTrafficEncryption?: boolean;
  readonly ServerlessJobConfig?: unknown;
  readonly VpcConfig?: unknown;
  readonly Tags?: readonly Tag[];
}

export interface ModelContainer {
  readonly Image?: string;
  readonly ModelPackageName?: string;
  readonly ModelDataUrl?: string;
  readonly ModelDataSource?: unknown;
  readonly Mode?: string;
  readonly Environment?: Readonly<Record<string, string>>;
}

export interface ModelRequest {
  readonly ModelName: string;
  readonly PrimaryContainer?: ModelContainer;
  readonly Containers?: readonly ModelContainer[];
  readonly ExecutionRoleArn?: string;
  readonly EnableNetworkIsolation?: boolean;
  readonly Tags?: readonly Tag[];
}

export interface TransformRequest {
  readonly TransformJobName: string;
  readonly ModelName: string;
  readonly MaxConcurrentTransforms?: number;
  readonly MaxPayloadInMB?: number;
  readonly BatchStrategy?: string;
  readonly ModelClientConfig?: {
    readonly InvocationsTimeoutInSeconds?: number;
    readonly InvocationsMaxRetries?: number;
  };
  readonly Environment?: Readonly<Record<string, string>>;
  readonly TransformInput: {
    readonly DataSource: { readonly S3DataSource: S3Source };
    readonly ContentType?: string;
    readonly CompressionType?: string;
    readonly SplitType?: string;
  };
  readonly TransformOutput: {
    readonly S3OutputPath: string;
    readonly Accept?: string;
    readonly AssembleWith?: string;
  };
  readonly TransformResources: {
    readonly InstanceType: string;
    readonly InstanceCount: number;
    readonly VolumeKmsKeyId?: string;
  };
  readonly DataProcessing?: {
    readonly InputFilter?: string;
    readonly OutputFilter?: string;
    readonly JoinSource?: string;
  };
  readonly Tags?: readonly Tag[];
}
