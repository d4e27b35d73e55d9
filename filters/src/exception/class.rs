//! The Java classes of exceptions that a route file may name.

/// A class of exceptions that is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class(Kind);

/// The table of classes: a name, and the class it extends.
macro_rules! classes {
    ($($kind:ident $name:literal $(extends $parent:ident)?;)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Kind {
            $($kind,)+
        }

        impl Kind {
            const ALL: &[Self] = &[$(Self::$kind),+];

            const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            const fn parent(self) -> Option<Self> {
                match self {
                    $(Self::$kind => classes!(@parent $($parent)?),)+
                }
            }
        }
    };
    (@parent $parent:ident) => { Some(Self::$parent) };
    (@parent) => { None };
}

classes! {
    Throwable "java.lang.Throwable";
    Error "java.lang.Error" extends Throwable;
    AssertionError "java.lang.AssertionError" extends Error;
    LinkageError "java.lang.LinkageError" extends Error;
    NoClassDefFoundError "java.lang.NoClassDefFoundError" extends LinkageError;
    VirtualMachineError "java.lang.VirtualMachineError" extends Error;
    OutOfMemoryError "java.lang.OutOfMemoryError" extends VirtualMachineError;
    StackOverflowError "java.lang.StackOverflowError" extends VirtualMachineError;

    Exception "java.lang.Exception" extends Throwable;
    CloneNotSupported "java.lang.CloneNotSupportedException" extends Exception;
    Interrupted "java.lang.InterruptedException" extends Exception;
    ReflectiveOperation "java.lang.ReflectiveOperationException" extends Exception;
    ClassNotFound "java.lang.ClassNotFoundException" extends ReflectiveOperation;
    NoSuchField "java.lang.NoSuchFieldException" extends ReflectiveOperation;
    NoSuchMethod "java.lang.NoSuchMethodException" extends ReflectiveOperation;
    GeneralSecurity "java.security.GeneralSecurityException" extends Exception;
    Certificate "java.security.cert.CertificateException" extends GeneralSecurity;
    Sql "java.sql.SQLException" extends Exception;
    Parse "java.text.ParseException" extends Exception;
    Execution "java.util.concurrent.ExecutionException" extends Exception;
    BrokenBarrier "java.util.concurrent.BrokenBarrierException" extends Exception;
    Timeout "java.util.concurrent.TimeoutException" extends Exception;
    PoolAcquireTimeout "reactor.netty.internal.shaded.reactor.pool.PoolAcquireTimeoutException"
        extends Timeout;
    UriSyntax "java.net.URISyntaxException" extends Exception;

    Runtime "java.lang.RuntimeException" extends Exception;
    Arithmetic "java.lang.ArithmeticException" extends Runtime;
    ArrayStore "java.lang.ArrayStoreException" extends Runtime;
    ClassCast "java.lang.ClassCastException" extends Runtime;
    IllegalArgument "java.lang.IllegalArgumentException" extends Runtime;
    NumberFormat "java.lang.NumberFormatException" extends IllegalArgument;
    IllegalState "java.lang.IllegalStateException" extends Runtime;
    IndexOutOfBounds "java.lang.IndexOutOfBoundsException" extends Runtime;
    ArrayIndexOutOfBounds "java.lang.ArrayIndexOutOfBoundsException" extends IndexOutOfBounds;
    StringIndexOutOfBounds "java.lang.StringIndexOutOfBoundsException" extends IndexOutOfBounds;
    NegativeArraySize "java.lang.NegativeArraySizeException" extends Runtime;
    NullPointer "java.lang.NullPointerException" extends Runtime;
    Security "java.lang.SecurityException" extends Runtime;
    UnsupportedOperation "java.lang.UnsupportedOperationException" extends Runtime;
    UncheckedIo "java.io.UncheckedIOException" extends Runtime;
    DateTime "java.time.DateTimeException" extends Runtime;
    ConcurrentModification "java.util.ConcurrentModificationException" extends Runtime;
    EmptyStack "java.util.EmptyStackException" extends Runtime;
    NoSuchElement "java.util.NoSuchElementException" extends Runtime;
    InputMismatch "java.util.InputMismatchException" extends NoSuchElement;
    MissingResource "java.util.MissingResourceException" extends Runtime;
    Cancellation "java.util.concurrent.CancellationException" extends IllegalState;
    Completion "java.util.concurrent.CompletionException" extends Runtime;
    RejectedExecution "java.util.concurrent.RejectedExecutionException" extends Runtime;

    Io "java.io.IOException" extends Exception;
    Eof "java.io.EOFException" extends Io;
    FileNotFound "java.io.FileNotFoundException" extends Io;
    InterruptedIo "java.io.InterruptedIOException" extends Io;
    UnsupportedEncoding "java.io.UnsupportedEncodingException" extends Io;
    FileSystem "java.nio.file.FileSystemException" extends Io;
    CharacterCoding "java.nio.charset.CharacterCodingException" extends Io;
    HttpRetry "java.net.HttpRetryException" extends Io;
    HttpTimeout "java.net.http.HttpTimeoutException" extends Io;
    HttpConnectTimeout "java.net.http.HttpConnectTimeoutException" extends HttpTimeout;
    MalformedUrl "java.net.MalformedURLException" extends Io;
    Protocol "java.net.ProtocolException" extends Io;
    Socket "java.net.SocketException" extends Io;
    Bind "java.net.BindException" extends Socket;
    Connect "java.net.ConnectException" extends Socket;
    NoRouteToHost "java.net.NoRouteToHostException" extends Socket;
    PortUnreachable "java.net.PortUnreachableException" extends Socket;
    SocketTimeout "java.net.SocketTimeoutException" extends InterruptedIo;
    UnknownHost "java.net.UnknownHostException" extends Io;
    UnknownService "java.net.UnknownServiceException" extends Io;
    ClosedChannel "java.nio.channels.ClosedChannelException" extends Io;
    AsynchronousClose "java.nio.channels.AsynchronousCloseException" extends ClosedChannel;
    Ssl "javax.net.ssl.SSLException" extends Io;
    SslHandshake "javax.net.ssl.SSLHandshakeException" extends Ssl;
    SslKey "javax.net.ssl.SSLKeyException" extends Ssl;
    SslPeerUnverified "javax.net.ssl.SSLPeerUnverifiedException" extends Ssl;
    SslProtocol "javax.net.ssl.SSLProtocolException" extends Ssl;

    AnnotatedConnect "io.netty.channel.AbstractChannel$AnnotatedConnectException" extends Connect;
    AnnotatedNoRouteToHost "io.netty.channel.AbstractChannel$AnnotatedNoRouteToHostException"
        extends NoRouteToHost;
    AnnotatedSocket "io.netty.channel.AbstractChannel$AnnotatedSocketException" extends Socket;
    ConnectTimeout "io.netty.channel.ConnectTimeoutException" extends Connect;
    NativeIo "io.netty.channel.unix.Errors$NativeIoException" extends Io;
    NativeConnect "io.netty.channel.unix.Errors$NativeConnectException" extends Connect;
    Channel "io.netty.channel.ChannelException" extends Runtime;
    NettyTimeout "io.netty.handler.timeout.TimeoutException" extends Channel;
    ReadTimeout "io.netty.handler.timeout.ReadTimeoutException" extends NettyTimeout;
    WriteTimeout "io.netty.handler.timeout.WriteTimeoutException" extends NettyTimeout;
    Codec "io.netty.handler.codec.CodecException" extends Runtime;
    Decoder "io.netty.handler.codec.DecoderException" extends Codec;
    TooLongFrame "io.netty.handler.codec.TooLongFrameException" extends Decoder;
    PrematureChannelClosure "io.netty.handler.codec.PrematureChannelClosureException" extends Codec;
    Http2 "io.netty.handler.codec.http2.Http2Exception" extends Exception;
    SslHandshakeTimeout "io.netty.handler.ssl.SslHandshakeTimeoutException" extends SslHandshake;
    NotSslRecord "io.netty.handler.ssl.NotSslRecordException" extends Ssl;
    SslClosedEngine "io.netty.handler.ssl.SslClosedEngineException" extends Ssl;
    DnsNameResolver "io.netty.resolver.dns.DnsNameResolverException" extends Runtime;
    DnsNameResolverTimeout "io.netty.resolver.dns.DnsNameResolverTimeoutException"
        extends DnsNameResolver;
    DnsErrorCause "io.netty.resolver.dns.DnsErrorCauseException" extends Runtime;
    PrematureClose "reactor.netty.http.client.PrematureCloseException" extends Io;
    Aborted "reactor.netty.channel.AbortedException" extends Runtime;
    RetryExhausted "reactor.retry.RetryExhaustedException" extends Runtime;

    NestedChecked "org.springframework.core.NestedCheckedException" extends Exception;
    NestedRuntime "org.springframework.core.NestedRuntimeException" extends Runtime;
    DataAccess "org.springframework.dao.DataAccessException" extends NestedRuntime;
    CodecData "org.springframework.core.codec.CodecException" extends NestedRuntime;
    Decoding "org.springframework.core.codec.DecodingException" extends CodecData;
    DataBufferLimit "org.springframework.core.io.buffer.DataBufferLimitException" extends IllegalState;
    ErrorResponse "org.springframework.web.ErrorResponseException" extends NestedRuntime;
    ResponseStatus "org.springframework.web.server.ResponseStatusException" extends ErrorResponse;
    MethodNotAllowed "org.springframework.web.server.MethodNotAllowedException"
        extends ResponseStatus;
    NotAcceptable "org.springframework.web.server.NotAcceptableStatusException"
        extends ResponseStatus;
    ServerError "org.springframework.web.server.ServerErrorException" extends ResponseStatus;
    ServerWebInput "org.springframework.web.server.ServerWebInputException" extends ResponseStatus;
    UnsupportedMediaType "org.springframework.web.server.UnsupportedMediaTypeStatusException"
        extends ResponseStatus;
    NoResourceFound "org.springframework.web.reactive.resource.NoResourceFoundException"
        extends ResponseStatus;
    NotFound "org.springframework.cloud.gateway.support.NotFoundException" extends ResponseStatus;
    ServiceUnavailable "org.springframework.cloud.gateway.support.ServiceUnavailableException"
        extends ResponseStatus;
    GatewayTimeout "org.springframework.cloud.gateway.support.TimeoutException" extends Exception;
    NoFallbackAvailable "org.springframework.cloud.client.circuitbreaker.NoFallbackAvailableException"
        extends Runtime;
    RestClient "org.springframework.web.client.RestClientException" extends NestedRuntime;
    ResourceAccess "org.springframework.web.client.ResourceAccessException" extends RestClient;
    RestClientResponse "org.springframework.web.client.RestClientResponseException"
        extends RestClient;
    UnknownHttpStatus "org.springframework.web.client.UnknownHttpStatusCodeException"
        extends RestClientResponse;
    HttpStatusCode "org.springframework.web.client.HttpStatusCodeException"
        extends RestClientResponse;
    HttpClientError "org.springframework.web.client.HttpClientErrorException"
        extends HttpStatusCode;
    TooManyRequests "org.springframework.web.client.HttpClientErrorException$TooManyRequests"
        extends HttpClientError;
    HttpServerError "org.springframework.web.client.HttpServerErrorException"
        extends HttpStatusCode;
    InternalServerError "org.springframework.web.client.HttpServerErrorException$InternalServerError"
        extends HttpServerError;
    BadGateway "org.springframework.web.client.HttpServerErrorException$BadGateway"
        extends HttpServerError;
    HttpServiceUnavailable
        "org.springframework.web.client.HttpServerErrorException$ServiceUnavailable"
        extends HttpServerError;
    HttpGatewayTimeout "org.springframework.web.client.HttpServerErrorException$GatewayTimeout"
        extends HttpServerError;
    BreakerStatusCode
        "org.springframework.cloud.gateway.filter.factory.SpringCloudCircuitBreakerFilterFactory$CircuitBreakerStatusCodeException"
        extends HttpStatusCode;
    WebClient "org.springframework.web.reactive.function.client.WebClientException"
        extends NestedRuntime;
    WebClientRequest "org.springframework.web.reactive.function.client.WebClientRequestException"
        extends WebClient;
    WebClientResponse "org.springframework.web.reactive.function.client.WebClientResponseException"
        extends WebClient;

    CallNotPermitted "io.github.resilience4j.circuitbreaker.CallNotPermittedException"
        extends Runtime;
    BulkheadFull "io.github.resilience4j.bulkhead.BulkheadFullException" extends Runtime;
    RequestNotPermitted "io.github.resilience4j.ratelimiter.RequestNotPermitted" extends Runtime;
    MaxRetriesExceeded "io.github.resilience4j.retry.MaxRetriesExceededException" extends Runtime;
}

impl Class {
    pub(super) const fn of(kind: Kind) -> Self {
        Self(kind)
    }

    /// The class with this fully qualified name; nested names use `$`.
    pub fn named(name: &str) -> Option<Self> {
        Kind::ALL.iter().find(|kind| kind.name() == name).map(|kind| Self(*kind))
    }

    /// The fully qualified name.
    pub const fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether it is `other` or extends it.
    pub fn is_a(self, other: Self) -> bool {
        let mut kind = Some(self.0);
        while let Some(one) = kind {
            if one == other.0 {
                return true;
            }
            kind = one.parent();
        }
        false
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        Kind::ALL.iter().map(|kind| kind.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_ends_in_throwable() {
        let throwable = Class::named("java.lang.Throwable").unwrap();
        assert!(Kind::ALL.iter().all(|kind| Class::of(*kind).is_a(throwable)));
    }

    #[test]
    fn names_are_unique() {
        for name in Class::names() {
            assert_eq!(Class::names().filter(|other| *other == name).count(), 1, "{name}");
            assert_eq!(Class::named(name).unwrap().name(), name);
        }
    }
}
