package org.opensaml.saml.saml2.core;

/** Stands for a SAML type that x-pack-security names but that no test uses; the real one is not on Maven Central. */
public interface RequestAbstractType {}
