package org.opensaml.core.xml;

/** Stands for a SAML type that x-pack-security names but that no test uses; the real one is not on Maven Central. */
public interface XMLObject {}
